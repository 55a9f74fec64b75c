"""Do what a page tells its reader to do, and see whether the reader sees what the page says.

The commands, the programs and their output are all taken from the page:

- A block of ``bash`` or ``console`` is pasted into a terminal: into the one that the paragraph before it names
  ("terminal 2", "终端 2"), else into that of the last command. Terminals are opened where terminal 1 stands.
- Any block whose paragraph ends with a file's name and a colon ("Save this as `bot.py`:") is saved under that name.
  A program of Python must have one.
- A block of ``text`` is what a terminal has shown since its last command or its last block of ``text``: the terminal
  that the paragraph names, else that of the last command. A line ``...`` stands for any lines.

Comments of HTML say what the reader knows without being told:

- ``<!-- keeps running -->`` before a command: it does not end by itself.
- ``<!-- Ctrl-C in terminal 1 -->`` ends it; what follows is shown, or done, in that terminal.
- ``<!-- exit code 1 -->`` before a command that is meant to fail.
- ``<!-- not run: the reason -->`` before a block that is left out.
- ``<!-- LANG=zh_CN.UTF-8 -->`` sets a variable of the reader's environment.

What differs from run to run is not compared, see ``judging.VARYING``. The ports that a page names are replaced by free
ones, everywhere on the page.
"""

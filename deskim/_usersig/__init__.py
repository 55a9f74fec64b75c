"""UserSig: the signature that every call to Desk carries (TLSSigAPIv2)."""

from __future__ import annotations

from deskim._usersig._providers import ReadyUserSig, UserSigCache, UserSigProvider, UserSigSigner
from deskim._usersig._secret import Secret
from deskim._usersig._sign import UserSigClaims, check_identity, check_key, decode_usersig, sign_usersig

__all__ = [
    "ReadyUserSig",
    "Secret",
    "UserSigCache",
    "UserSigClaims",
    "UserSigProvider",
    "UserSigSigner",
    "check_identity",
    "check_key",
    "decode_usersig",
    "sign_usersig",
]

"""Names and addresses of the model hub, checked before it is asked. Standard library only."""

import re
from urllib.parse import urlsplit

PREFIXES = ("hf-hub:", "hf_hub:")  # of networks whose description is on the hub alone
_ADDRESS = re.compile(r"(?:https?://)?(?:www\.)?(?:huggingface\.co|hf\.co)/([^/?#\s]+/[^/?#\s]+)")
_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")


def name_fault(name: str) -> str | None:
    """Why a name cannot be that of a timm model, with the one to write instead; None where it can.

    An address of the hub and a bare repository (`timm/...`) are refused, for timm would look for
    neither; `hf-hub:<owner>/<name>` and the names of timm pass.
    """
    prefix, plain = _split(name.strip())
    address = _ADDRESS.match(plain)
    repository = address[1] if address else plain
    if prefix and not _REPOSITORY.fullmatch(repository):
        return "is no hf-hub:<owner>/<name>"
    if address or (not prefix and _REPOSITORY.fullmatch(plain)):
        owner, _, model = repository.partition("/")
        plain_name = f"{model} or " if owner == "timm" else ""
        return f"is an address or repository of the hub: write {plain_name}hf-hub:{repository}"
    if not prefix and (not plain or set(plain) & set("/\\: ")):
        return "is no name of a timm model: an address, path or space cannot be part of it"
    return None


def endpoint_fault(endpoint: str) -> str | None:
    """Why HF_ENDPOINT cannot be the address of a hub; None where it can."""
    parts = urlsplit(endpoint)
    if parts.scheme in ("http", "https") and parts.hostname:
        return None
    return f"HF_ENDPOINT is {endpoint!r}, without http:// or https:// in front: add it"


def _split(name: str) -> tuple[str, str]:
    """The prefix of a name, empty where it has none, and the rest."""
    prefix = next((each for each in PREFIXES if name.startswith(each)), "")
    return prefix, name.removeprefix(prefix)

"""Settings of PKCS#11 tokens, each under a name of its own: `[tokens.NAME]`."""

from typing import Annotated

from msgspec import field

from kagimori.settings.about import About, Section


class Token(Section, frozen=True):
    """A PKCS#11 token, under a name of up to 32 small letters, digits and hyphens.

    It can hold the keys of a CloudHSM key store.
    """

    module: Annotated[str | None, About("The PKCS#11 library.", metavar="FILE", is_path=True)] = (
        None
    )
    label: Annotated[str | None, About("The label of the token.")] = None
    serial: Annotated[
        str | None, About("Its serial number, beside the label or in place of it.")
    ] = None
    pin_file: Annotated[
        str | None,
        About("The file with the PIN of the token's user.", metavar="FILE", is_path=True),
    ] = None
    cluster_id: Annotated[
        str | None,
        About(
            "The id by which CreateCustomKeyStore names it: `cluster-` and 11 to 16 letters or "
            "digits from 2 to 7; none: it holds no key store."
        ),
    ] = None
    trust_anchor: Annotated[
        str | None,
        About(
            "The certificate that CreateCustomKeyStore has to name, PEM.",
            metavar="FILE",
            is_path=True,
        ),
    ] = None
    paths: Annotated[
        tuple[str, ...],
        About("Files and folders that the library reads and writes.", metavar="FILE", is_path=True),
    ] = ()
    environment: Annotated[
        dict[str, str],
        About("The environment variables of the library.", metavar="NAME=VALUE"),
    ] = field(default_factory=dict)
    network: Annotated[
        bool, About("Whether the library reaches the token over sockets of any kind.")
    ] = False
    operation_seconds: Annotated[
        float,
        About(
            "For one call of the library; then its process is ended and started again.",
            least=1,
            most=300,
        ),
    ] = 10.0

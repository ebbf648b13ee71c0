"""Settings of other KMSs, each under a name of its own: `[kms_roots.NAME]`."""

from typing import Annotated

from kagimori.settings.about import About, Section


class KmsRoot(Section, frozen=True):
    """Another KMS, under a name of up to 32 small letters, digits and hyphens.

    A key of it can open the deployment: `kagimori seal add kms --root NAME --key ARN`.
    """

    url: Annotated[str | None, About("Its endpoint, as `https://kms.eu-west-1.amazonaws.com`.")] = (
        None
    )
    credentials_file: Annotated[
        str | None,
        About(
            "The file with the access key to use, as `kagimori init` writes it; none: what AWS's "
            "tools find.",
            metavar="FILE",
            is_path=True,
        ),
    ] = None
    ca_bundle: Annotated[
        str | None,
        About("The authorities to trust there, PEM.", metavar="FILE", is_path=True),
    ] = None

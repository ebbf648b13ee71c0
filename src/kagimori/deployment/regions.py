"""Checks the regions of a new deployment: AWS must have them, in one partition."""

from kagimori.deployment.folder import Unusable
from kagimori.rules.partitions import has_form, is_known, partition_of


def check_regions(regions: tuple[str, ...], *, unknown: bool = False) -> None:
    """Check that one deployment may serve these regions.

    `unknown` lets in names that botocore does not know, if SDKs can derive the partition from them.

    Raises:
        Unusable: a name that no region has, or regions of different partitions.
    """
    for region in regions:
        if unknown and not has_form(region):
            raise Unusable(f"{region!r} does not have the form of a region's name")
        if not unknown and not is_known(region):
            raise Unusable(
                f"AWS has no region {region!r}, as far as botocore knows; "
                "--allow-unknown-regions takes any name of a region's form"
            )
    found = sorted({partition_of(region).name for region in regions})
    if len(found) > 1:
        raise Unusable(
            f"the regions are of different partitions ({', '.join(found)}), which share neither "
            "accounts nor keys: make a deployment for each"
        )

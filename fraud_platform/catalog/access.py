"""Which catalog, crawler and query engine the settings mean."""

from fraud_platform.catalog.answer import QueryEngine
from fraud_platform.catalog.crawl import Crawler
from fraud_platform.catalog.store import Catalog
from fraud_platform.errors import ConfigurationError
from fraud_platform.settings import Settings


def catalog_of(settings: Settings) -> Catalog:
    """The catalog through the Glue API.

    Raises:
        ConfigurationError: no Glue is known, or S3 is elsewhere and nothing says where Glue is.
    """
    from fraud_platform.adapters.glue import GlueCatalog

    _require_one_place(settings)
    return GlueCatalog(settings)


def _require_one_place(settings: Settings) -> None:
    if settings.aws == "aws" and settings.s3_endpoint and not settings.glue_endpoint:
        raise ConfigurationError(
            "AWS_ENDPOINT_URL_S3 names an S3 that is not AWS's; set AWS_ENDPOINT_URL_GLUE as well, so that no table"
            " in AWS speaks of it."
        )


def crawler_of(settings: Settings) -> Crawler:
    """Our own crawler; errors as `catalog_of`."""
    from fraud_platform.adapters.lake_reader import S3LakeReader

    return Crawler(S3LakeReader(settings), catalog_of(settings), settings.naming, settings.lake_bucket)


def uses_athena(settings: Settings) -> bool:
    """Whether queries go to Athena: on AWS, unless Glue is not AWS's and no Athena is named."""
    return settings.aws == "aws" and (settings.athena_endpoint is not None or settings.glue_endpoint is None)


def engine_of(settings: Settings) -> QueryEngine:
    """The engine that answers SQL; errors as `catalog_of`."""
    if uses_athena(settings):
        if settings.athena_endpoint is None:
            _require_one_place(settings)
        from fraud_platform.adapters.athena import Athena

        return Athena(settings)
    from fraud_platform.adapters.duckdb_lake import LocalEngine
    from fraud_platform.adapters.lake_reader import S3LakeReader

    catalog, lake = catalog_of(settings), S3LakeReader(settings)
    crawler = Crawler(lake, catalog, settings.naming, settings.lake_bucket)
    if settings.glue_crawler:  # tables are another's to make
        return LocalEngine(settings, catalog, lake)
    return LocalEngine(settings, catalog, lake, missing=crawler.crawl)

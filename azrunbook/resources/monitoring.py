"""The Log Analytics workspace that the clusters of an estate send their logs to. Pure."""

from azrunbook import estate
from azrunbook.resources import model


def list_workspaces(
    declared: estate.Estate, subscription_id: str
) -> tuple[model.DesiredResource, ...]:
    settings = declared.log_analytics
    if settings is None:
        return ()
    location = declared.primary.location
    return (
        model.describe(
            model.resource_id(
                subscription_id, settings.resource_group, model.WORKSPACE, settings.name
            ),
            model.WORKSPACE,
            region=location,
            body={
                "location": location,
                "tags": dict(declared.tags),
                "properties": {
                    "sku": {"name": "PerGB2018"},
                    "retentionInDays": settings.retention_days,
                },
            },
            depends_on=(model.group_id(subscription_id, settings.resource_group),),
        ),
    )

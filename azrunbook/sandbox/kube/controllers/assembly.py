"""Which controllers a cluster runs.

Law: constructs, decides nothing. Controllers are made anew at every start, so that none carries
over what it believed before a stop.
"""

import ipaddress
from dataclasses import dataclass

from azrunbook.sandbox.kube.controllers import (
    account_tokens,
    api_registration,
    cronjob,
    daemonset,
    deployment,
    disruption,
    endpoint_mirroring,
    endpoint_slices,
    events,
    garbage,
    hpa,
    job,
    loop,
    metric_proposals,
    namespace,
    node_lifecycle,
    persistent_volumes,
    pod_garbage,
    replicaset,
    resource_quotas,
    role_aggregation,
    scheduler,
    service_accounts,
    services,
    statefulset,
)
from azrunbook.sandbox.kube.controllers.access import Access


@dataclass(frozen=True)
class Timing:
    """How patient the controllers are, in seconds; the defaults are the real ones."""

    node_grace_seconds: float = 50.0
    orphan_quarantine_seconds: float = 40.0
    namespace_grace_seconds: float = 5.0
    autoscaler_period_seconds: float = 15.0


def make_controllers(
    cluster: Access,
    *,
    ca_pem: bytes,
    load_balancer_addresses: ipaddress.IPv4Network,
    timing: Timing,
    metrics: metric_proposals.Readings | None,
    issue_token: account_tokens.Issue,
    cloud: services.Cloud | None = None,
) -> list[loop.Controller]:
    """All controllers of one cluster."""
    return [
        namespace.NamespaceController(cluster, grace_seconds=timing.namespace_grace_seconds),
        service_accounts.ServiceAccountController(cluster, ca_pem),
        account_tokens.AccountTokenController(cluster, ca_pem, issue_token),
        role_aggregation.RoleAggregationController(cluster),
        api_registration.ApiRegistrationController(cluster),
        deployment.DeploymentController(cluster),
        replicaset.ReplicaSetController(cluster),
        daemonset.DaemonSetController(cluster),
        statefulset.StatefulSetController(cluster),
        resource_quotas.ResourceQuotaController(cluster),
        job.JobController(cluster),
        cronjob.CronJobController(cluster),
        persistent_volumes.PersistentVolumeController(cluster),
        persistent_volumes.EphemeralVolumeController(cluster),
        scheduler.Scheduler(cluster),
        endpoint_slices.EndpointSliceController(cluster),
        endpoint_slices.EndpointsController(cluster),
        endpoint_mirroring.EndpointMirrorController(cluster),
        services.ServiceController(cluster, load_balancer_addresses, cloud),
        garbage.GarbageCollector(cluster),
        disruption.DisruptionController(cluster),
        node_lifecycle.NodeLifecycleController(cluster, grace_seconds=timing.node_grace_seconds),
        node_lifecycle.TaintEvictionController(cluster),
        pod_garbage.OrphanedPodController(
            cluster, quarantine_seconds=timing.orphan_quarantine_seconds
        ),
        hpa.AutoscalerController(cluster, metrics, period_seconds=timing.autoscaler_period_seconds),
        events.EventExpiry(cluster.registry, cluster.clock),
    ]

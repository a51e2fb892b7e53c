"""A corpus of a thousand alerting rules for two dozen exporters, with series that they match: made here, the same every time.

Its style is that of the collections people copy their first rules from: a group for each exporter, a few sentences of
annotations, and PromQL of every kind (rates, quantiles, joins, absence, subqueries, predictions, offsets, `bool` …).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import cycle, product
from typing import Final

SCRAPE: Final = timedelta(seconds=30)
SAMPLES: Final = 21
"""Ten minutes of them."""
INSTANCES: Final = ("a:9100", "b:9100", "ü-3:9100")
BUCKETS: Final = ("0.1", "0.5", "1", "+Inf")

EXPORTERS: Final[Mapping[str, str]] = {
    "node": """
        gauge node_load1
        gauge node_memory_MemAvailable_bytes
        gauge node_memory_MemTotal_bytes
        gauge node_filesystem_avail_bytes mountpoint=/,/var
        gauge node_filesystem_size_bytes mountpoint=/,/var
        counter node_cpu_seconds_total mode=idle,user,iowait
        counter node_network_receive_errs_total device=eth0,eth1
        time node_boot_time_seconds""",
    "prometheus": """
        gauge prometheus_tsdb_head_series
        counter prometheus_tsdb_compactions_failed_total
        counter prometheus_notifications_dropped_total
        counter prometheus_rule_evaluation_failures_total rule_group=a;b
        gauge prometheus_config_last_reload_successful
        histogram prometheus_http_request_duration_seconds""",
    "mysql": """
        gauge mysql_global_status_threads_connected
        gauge mysql_global_variables_max_connections
        counter mysql_global_status_slow_queries
        counter mysql_global_status_aborted_connects
        gauge mysql_slave_status_seconds_behind_master
        counter mysql_global_status_innodb_log_waits""",
    "postgres": """
        gauge pg_stat_activity_count datname=app,audit
        gauge pg_settings_max_connections
        counter pg_stat_database_deadlocks datname=app,audit
        counter pg_stat_database_xact_rollback datname=app,audit
        counter pg_stat_database_xact_commit datname=app,audit
        gauge pg_replication_lag_seconds
        time pg_postmaster_start_time_seconds""",
    "redis": """
        gauge redis_memory_used_bytes
        gauge redis_memory_max_bytes
        gauge redis_connected_slaves
        counter redis_rejected_connections_total
        counter redis_evicted_keys_total
        time redis_rdb_last_save_timestamp_seconds""",
    "mongodb": """
        gauge mongodb_connections state=current,available
        counter mongodb_op_counters_total type=insert,query
        counter mongodb_asserts_total type=user,msg
        gauge mongodb_mongod_replset_member_replication_lag
        gauge mongodb_memory type=resident,virtual""",
    "rabbitmq": """
        gauge rabbitmq_queue_messages_ready queue=orders,mail
        gauge rabbitmq_queue_consumers queue=orders,mail
        gauge rabbitmq_node_disk_free_bytes
        counter rabbitmq_channel_messages_redelivered_total
        counter rabbitmq_connections_closed_total""",
    "kafka": """
        gauge kafka_consumergroup_lag consumergroup=billing,search
        gauge kafka_topic_partition_in_sync_replica topic=orders
        gauge kafka_topic_partition_replicas topic=orders
        counter kafka_server_failed_fetch_requests_total
        counter kafka_controller_unclean_leader_elections_total""",
    "elasticsearch": """
        gauge elasticsearch_cluster_health_number_of_pending_tasks
        gauge elasticsearch_filesystem_data_available_bytes
        gauge elasticsearch_filesystem_data_size_bytes
        gauge elasticsearch_jvm_memory_used_bytes area=heap
        gauge elasticsearch_jvm_memory_max_bytes area=heap
        counter elasticsearch_indices_search_query_time_seconds
        counter elasticsearch_transport_tx_packets_total""",
    "nginx": """
        counter nginx_http_requests_total status=200,404,503
        histogram nginx_http_request_duration_seconds
        gauge nginx_connections_active
        counter nginx_connections_accepted
        counter nginx_connections_handled""",
    "haproxy": """
        counter haproxy_backend_http_responses_total code=2xx,4xx,5xx
        gauge haproxy_backend_current_queue proxy=web,api
        gauge haproxy_server_status proxy=web,api
        counter haproxy_server_retry_warnings_total
        histogram haproxy_backend_response_time_seconds""",
    "traefik": """
        counter traefik_service_requests_total code=200,404,502
        histogram traefik_service_request_duration_seconds
        gauge traefik_service_open_connections
        counter traefik_config_reloads_failure_total
        time traefik_tls_certs_not_after""",
    "blackbox": """
        gauge probe_success target=shop,blog
        gauge probe_duration_seconds target=shop,blog
        gauge probe_http_status_code target=shop,blog
        gauge probe_dns_lookup_time_seconds
        time probe_ssl_earliest_cert_expiry""",
    "cadvisor": """
        counter container_cpu_usage_seconds_total name=web,db
        gauge container_memory_working_set_bytes name=web,db
        gauge container_spec_memory_limit_bytes name=web,db
        counter container_cpu_cfs_throttled_periods_total name=web,db
        counter container_cpu_cfs_periods_total name=web,db
        time container_last_seen name=web,db""",
    "kubernetes": """
        gauge kube_node_status_condition condition=Ready,MemoryPressure
        gauge kube_deployment_spec_replicas deployment=web,api
        gauge kube_deployment_status_replicas_available deployment=web,api
        counter kube_pod_container_status_restarts_total pod=web-1,api-1
        gauge kube_job_status_failed job_name=backup
        time kube_cronjob_next_schedule_time
        gauge kube_hpa_status_current_replicas hpa=web""",
    "etcd": """
        gauge etcd_server_has_leader
        counter etcd_server_leader_changes_seen_total
        counter etcd_server_proposals_failed_total
        histogram etcd_disk_wal_fsync_duration_seconds
        gauge etcd_mvcc_db_total_size_in_bytes
        gauge etcd_server_quota_backend_bytes""",
    "coredns": """
        counter coredns_dns_responses_total rcode=NOERROR,SERVFAIL
        counter coredns_panics_total
        histogram coredns_dns_request_duration_seconds
        gauge coredns_cache_entries type=success,denial""",
    "jvm": """
        gauge jvm_memory_used_bytes area=heap,nonheap
        gauge jvm_memory_max_bytes area=heap,nonheap
        gauge jvm_threads_current
        counter jvm_gc_collection_seconds_count gc=young,old
        counter jvm_gc_collection_seconds_sum gc=young,old""",
    "memcached": """
        gauge memcached_current_connections
        gauge memcached_max_connections
        counter memcached_items_evicted_total
        counter memcached_commands_total status=hit,miss""",
    "zookeeper": """
        gauge zk_outstanding_requests
        gauge zk_open_file_descriptor_count
        gauge zk_max_file_descriptor_count
        counter zk_connection_drop_count
        gauge zk_avg_latency""",
    "ceph": """
        gauge ceph_health_status
        gauge ceph_osd_up ceph_daemon=osd.0,osd.1
        gauge ceph_osd_weight ceph_daemon=osd.0,osd.1
        gauge ceph_pool_bytes_used pool=rbd
        counter ceph_osd_op_latency_sum ceph_daemon=osd.0,osd.1""",
    "minio": """
        gauge minio_cluster_disk_offline_total
        gauge minio_node_disk_free_bytes disk=/data1,/data2
        gauge minio_node_disk_total_bytes disk=/data1,/data2
        counter minio_s3_requests_errors_total api=get,put""",
    "windows": """
        gauge windows_cs_physical_memory_bytes
        gauge windows_os_physical_memory_free_bytes
        gauge windows_logical_disk_free_bytes volume=C:,D:
        gauge windows_logical_disk_size_bytes volume=C:,D:
        counter windows_cpu_time_total mode=idle,user
        gauge windows_service_status status=ok,degraded""",
    "smartctl": """
        gauge smartctl_device_temperature device=sda,sdb
        gauge smartctl_device_smart_status device=sda,sdb
        counter smartctl_device_media_errors device=sda,sdb
        gauge smartctl_device_percentage_used device=sda,sdb
        time smartctl_device_last_test_seconds""",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A metric of an exporter: its kind, its name, and the values of its labels beside `job` and `instance`."""

    job: str
    kind: str
    name: str
    labels: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def by(self) -> str:
        return ", ".join(("instance", *self.labels))

    @property
    def label(self) -> str:
        """A label to tell its series of one instance apart by."""
        return next(iter(self.labels), "instance")


Pattern = Callable[[Metric], tuple[str, str]]
"""How an alert is called, and its expression."""

GAUGES: Final[tuple[Pattern, ...]] = (
    lambda m: ("High", f'{m.name}{{job="{m.job}"}} > 50'),
    lambda m: ("Low", f"{m.name} < 10"),
    lambda m: ("Odd", f"({m.name} > bool 40) == 1"),
    lambda m: ("FillsUp", f'predict_linear({m.name}{{job="{m.job}"}}[10m], 4 * 3600) > 100'),
    lambda m: ("Jumped", f"abs({m.name} - ({m.name} offset 5m)) > 8"),
    lambda m: ("Average", f"avg by (job, {m.label}) (avg_over_time({m.name}[5m])) >= 45.5"),
    lambda m: ("Peak", f"max_over_time({m.name}[5m:1m]) > 3 * scalar(avg({m.name}))"),
    lambda m: ("Outlier", f"{m.name} > on (job) group_left () (avg by (job) ({m.name}) + stddev by (job) ({m.name}))"),
    lambda m: ("DownAndLow", f"{m.name} < 30 and on (instance) up == 0"),
    lambda m: ("OnlyWhenUp", f"{m.name} > 20 unless on (instance, job) (up == 0)"),
    lambda m: ("Flapping", f"changes({m.name}[10m]) > 15 or resets({m.name}[10m]) > 2"),
    lambda m: ("Release", f"{m.name} * on (job, instance) group_left (version) build_info > 70"),
    lambda m: ("Top", f"topk(1, {m.name}) > 60"),
    lambda m: ("Share", f"{m.name} / ignoring (instance, {m.label}) group_left () sum by (job) ({m.name}) > 0.3"),
)
COUNTERS: Final[tuple[Pattern, ...]] = (
    lambda m: ("Rate", f'rate({m.name}{{job="{m.job}"}}[5m]) > 0.2'),
    lambda m: ("Increase", f"sum by (instance) (increase({m.name}[10m])) > 100"),
    lambda m: ("Instant", f"irate({m.name}[2m]) > 1"),
    lambda m: (
        "ShareOfAll",
        f"sum by ({m.label}) (rate({m.name}[5m])) / on () group_left () sum(rate({m.name}[5m])) > 0.4",
    ),
    lambda m: ("Stopped", f"rate({m.name}[5m]) == 0"),
    lambda m: ("Doubled", f"rate({m.name}[2m]) > 1.5 * rate({m.name}[2m] offset 5m)"),
    lambda m: ("Spike", f"max_over_time(rate({m.name}[1m])[5m:30s]) > 0.5"),
    lambda m: ("Percentile", f"quantile by (job) (0.9, rate({m.name}[5m])) > 0.25"),
    lambda m: ("Worst", f"bottomk(1, rate({m.name}[5m])) < 0.05 and on (job) count by (job) ({m.name}) > 2"),
    lambda m: ("Renamed", f'label_replace(rate({m.name}[5m]), "host", "$1", "instance", "(.+):.*") > 0.3'),
)
HISTOGRAMS: Final[tuple[Pattern, ...]] = (
    lambda m: ("Slow", f"histogram_quantile(0.99, sum by (le, job, instance) (rate({m.name}_bucket[5m]))) > 0.5"),
    lambda m: ("Median", f"histogram_quantile(0.5, sum without (instance) (rate({m.name}_bucket[5m]))) > 0.2"),
    lambda m: ("Mean", f"rate({m.name}_sum[5m]) / rate({m.name}_count[5m]) > 0.3"),
    lambda m: ("Apdex", f'sum(rate({m.name}_bucket{{le="0.5"}}[5m])) / sum(rate({m.name}_count[5m])) < 0.9'),
    lambda m: ("NoTraffic", f"sum by (instance) (rate({m.name}_count[5m])) < 0.1"),
)
TIMES: Final[tuple[Pattern, ...]] = (
    lambda m: ("Old", f"time() - {m.name} > 300"),
    lambda m: ("Soon", f"{m.name} - time() < 86400 and {m.name} > 0"),
    lambda m: ("Hour", f"{m.name} and on () hour() >= 0 < 24"),
)
ANY: Final[tuple[Pattern, ...]] = (
    lambda m: ("Absent", f'absent({m.name}{{job="{m.job}", instance="d:9100"}})'),
    lambda m: ("Gone", f'absent_over_time({m.name}{{job="no-such"}}[5m])'),
    lambda m: ("Missing", f'count({m.name}{{instance=~"[ab]:.+", job!~"x|y"}}) by (job) != 2'),
    lambda m: ("TooMany", f"count by (job) ({m.name} >= 0) > 1"),
)
"""What can be asked of a metric of any kind; a histogram's own name has no series."""
PATTERNS: Final[Mapping[str, tuple[Pattern, ...]]] = {
    "gauge": (*GAUGES, *ANY),
    "counter": (*COUNTERS, *ANY),
    "histogram": (*HISTOGRAMS, *ANY),
    "time": (*TIMES, *ANY),
}
HOLDS: Final = ("", "1m", "5m", "10m", "1h30m")
SEVERITIES: Final = ("info", "warning", "critical", "{{ if gt $value 60.0 }}critical{{ else }}warning{{ end }}")
SUMMARIES: Final = (
    "{{ $labels.instance }} of {{ $labels.job }}: {name}",
    "{name} ({{ $value | humanize }})",
    "Überlast – {name} auf {{ $labels.instance | toUpper }} 🔥",
    '{{ with $labels.instance }}On {{ . | reReplaceAll ":.*" "" }}: {{ end }}{name}',
)
DESCRIPTIONS: Final = (
    'The value is {{ printf "%.2f" $value }}.\nLABELS: {{ range $k, $v := $labels }}{{ $k }}={{ $v }} {{ end }}',
    "{{ $value | humanizePercentage }} since {{ $labels.job | title }} was well: it's \"odd\", isn't it?\n\n- see the book\n",
    "What to do: nothing yet # no comment",
)


def metrics() -> list[Metric]:
    """Every metric of every exporter."""
    return [_metric(job, line) for job, text in EXPORTERS.items() for line in text.strip().splitlines()]


def rule_file() -> str:
    """The corpus as a rule file; JSON is YAML, too."""
    return json.dumps({"groups": list(_groups())}, ensure_ascii=False, indent=1)


def series() -> dict[str, str]:
    """What a server scrapes that holds them: each series with its values, from the first to the last."""
    found: dict[str, str] = {}
    for job in EXPORTERS:
        for at, instance in enumerate(INSTANCES):
            where = {"job": job, "instance": instance}
            found[_named("up", where)] = _constant(int(at != 2))
            found[_named("build_info", {**where, "version": f"1.{at}"})] = _constant(1)
    for number, metric in enumerate(metrics()):
        for at, instance in enumerate(INSTANCES):
            found |= _series_of(metric, instance, seed=number * 7 + at * 13)
    return found


def _metric(job: str, line: str) -> Metric:
    kind, name, *labels = line.split()
    given = dict(text.split("=", 1) for text in labels)
    return Metric(job=job, kind=kind, name=name, labels={label: values.split(",") for label, values in given.items()})


def _groups() -> Iterator[dict[str, object]]:
    holds, severities = cycle(HOLDS), cycle(SEVERITIES)
    texts = cycle(product(SUMMARIES, DESCRIPTIONS))
    for job in EXPORTERS:
        rules: list[dict[str, object]] = []
        for metric in (one for one in metrics() if one.job == job):
            for pattern in PATTERNS[metric.kind][len(rules) % 2 :: 2]:
                word, expr = pattern(metric)
                name = f"{_title(metric.name)}{word}"
                rules.append(_rule(name, expr, next(holds), next(severities), next(texts)))
        yield {"name": job, "rules": rules}


def _rule(name: str, expr: str, hold: str, severity: str, texts: tuple[str, str]) -> dict[str, object]:
    summary, description = (text.replace("{name}", name) for text in texts)
    return {
        "alert": name,
        "expr": expr,
        **({"for": hold} if hold else {}),
        "labels": {"severity": severity, "team": f"team-{len(name) % 5}"},
        "annotations": {"summary": summary, "description": description},
    }


def _title(name: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


def _series_of(metric: Metric, instance: str, *, seed: int) -> dict[str, str]:
    found: dict[str, str] = {}
    for number, values in enumerate(product(*metric.labels.values())):
        labels = {"job": metric.job, "instance": instance, **dict(zip(metric.labels, values, strict=True))}
        moved = seed + number * 29
        match metric.kind:
            case "gauge":
                found[_named(metric.name, labels)] = _wave(moved)
            case "counter":
                found[_named(metric.name, labels)] = _climb(moved % 40)
            case "time":
                found[_named(metric.name, labels)] = _constant((moved % 90) * 10)
            case _:
                for at, bucket in enumerate(BUCKETS):
                    found[_named(f"{metric.name}_bucket", {**labels, "le": bucket})] = _climb(
                        (moved % 9 + 1) * (at + 1)
                    )
                found[_named(f"{metric.name}_count", labels)] = _climb((moved % 9 + 1) * len(BUCKETS))
                found[_named(f"{metric.name}_sum", labels)] = _climb(moved % 11)
    return found


def _named(name: str, labels: Mapping[str, str]) -> str:
    return f"{name}{{{','.join(f'{key}={json.dumps(value, ensure_ascii=False)}' for key, value in labels.items())}}}"


def _constant(value: int) -> str:
    return " ".join([str(value)] * SAMPLES)


def _climb(step: int) -> str:
    """A counter that grows by `step` with every scrape."""
    return " ".join(str(at * step) for at in range(SAMPLES))


def _wave(seed: int) -> str:
    """A gauge between 0 and 100 that is steady, grows, falls or jumps, as the seed has it."""
    base = seed * 37 % 90
    shapes: tuple[Callable[[int], int], ...] = (
        lambda _: base,
        lambda at: min(100, base + at),
        lambda at: max(0, base - 2 * at),
        lambda at: base + 10 * (at % 2),
    )
    return " ".join(str(shapes[seed % 4](at)) for at in range(SAMPLES))

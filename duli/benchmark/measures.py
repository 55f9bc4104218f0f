"""The numbers of reports/benchmark.json that a gate may name."""

SPEED = ("value", "spread", "n", "batch", "threads")
LOADED = ("value", "spread", "n")
LATENCY = ("value", "p95", "p99", "spread", "n", "threads")


def rows(variants: tuple[str, ...]) -> list[tuple[tuple[str, ...], ...]]:
    """Each row stands for all dotted names that take one of each of its parts."""
    return [
        (
            ("benchmark",),
            ("speedup", "speedup_over_fp32", "size_ratio", "slo_ms", "noisy", "load_average"),
        ),
        (("benchmark",), ("hardware",), ("cores", "memory_gib")),
        (("benchmark",), ("variants",), variants, ("bytes", "cost_ratio")),
        (("benchmark",), ("variants",), variants, ("load_ms", "cpu_us"), LOADED),
        (("benchmark",), ("variants",), variants, ("peak_mb",), (*LOADED, "model_mb", "batch")),
        (("benchmark",), ("variants",), variants, ("latency_ms",), LATENCY),
        (
            ("benchmark",),
            ("variants",),
            variants,
            ("throughput",),
            (*SPEED, "p99_ms", "within_slo"),
        ),
        (("benchmark",), ("variants",), variants, ("machine_throughput",), (*SPEED, "cpu_share")),
    ]

//! The table of all metrics: what each is called, counts, and says.

use super::measurement::{Metric, MetricKind, Unit};

/// Makes a static of each row, and of all together the list and the table in its documentation.
macro_rules! metrics {
    ($($name:ident: $kind:ident, $unit:ident, $text:literal, [$($label:literal),*], $help:literal;)+) => {
        $(
            #[doc = concat!($help, ".")]
            pub(crate) static $name: Metric =
                Metric::new($text, MetricKind::$kind, Unit::$unit, &[$($label),*], concat!($help, "."));
        )+

        /// The metrics of all parts.
        ///
        /// Durations are in seconds and shares from 0 to 1, as Prometheus has it. The label `quantile` is that of its summaries; a quantile is absent
        /// before the first measurement. What [`Measured`](super::Measured) gives of a part has no label for which part it is: whoever publishes it
        /// adds one.
        ///
        /// | Name | Kind | Unit | Labels | What it says |
        /// |---|---|---|---|---|
        $(#[doc = concat!(
            "| `", $text, "` | ", stringify!($kind), " | ", stringify!($unit), " | ", $("`", $label, "` ",)* "| ", $help, " |"
        )])+
        pub static METRICS: &[&Metric] = &[$(&$name),+];
    };
}

metrics! {
    POOL_SUBMITTED: Counter, Count, "gristmill_pool_tasks_submitted_total", [], "Tasks that were accepted";
    POOL_STARTED: Counter, Count, "gristmill_pool_tasks_started_total", [], "Tasks that have started";
    POOL_TASKS: Counter, Count, "gristmill_pool_tasks_total", ["outcome"], "Tasks that have ended: succeeded, failed, panicked, cancelled, returned";
    POOL_QUEUED: Gauge, Count, "gristmill_pool_tasks_queued", [], "Tasks that have not started, those that wait for their key included";
    POOL_QUEUE: Gauge, Count, "gristmill_pool_queue_length", ["priority"], "Tasks in the queue, by priority; without those that wait for their key";
    POOL_RUNNING: Gauge, Count, "gristmill_pool_tasks_running", [], "Tasks that run";
    POOL_WORKERS: Gauge, Count, "gristmill_pool_workers", [], "Workers";
    POOL_UTILISATION: Gauge, Ratio, "gristmill_pool_utilisation_ratio", [], "Share of their time in which the workers had work, since each came";
    POOL_ERRORS: Gauge, Ratio, "gristmill_pool_error_ratio", [], "Share of the tasks that ran to their end which failed or panicked";
    POOL_WORKER_STARTED: Counter, Count, "gristmill_pool_worker_tasks_started_total", ["worker"], "Tasks that a worker has started";
    POOL_WORKER_UTILISATION: Gauge, Ratio, "gristmill_pool_worker_utilisation_ratio", ["worker"], "Share of its time in which a worker had work";
    POOL_WAIT: Gauge, Seconds, "gristmill_pool_wait_seconds", ["quantile"], "Time from acceptance to start, of the latest timed tasks";
    POOL_WAIT_MAX: Gauge, Seconds, "gristmill_pool_wait_seconds_max", [], "The longest time from acceptance to start";
    POOL_WAIT_COUNT: Counter, Count, "gristmill_pool_wait_seconds_count", [], "Tasks whose wait was timed";
    POOL_RUN: Gauge, Seconds, "gristmill_pool_run_seconds", ["quantile"], "Time from start to end, of the latest timed tasks";
    POOL_RUN_MAX: Gauge, Seconds, "gristmill_pool_run_seconds_max", [], "The longest time from start to end";
    POOL_RUN_COUNT: Counter, Count, "gristmill_pool_run_seconds_count", [], "Tasks whose run was timed";
    PIPELINE_READ: Counter, Count, "gristmill_pipeline_items_read_total", [], "Items read from the source";
    PIPELINE_FINISHED: Counter, Count, "gristmill_pipeline_items_finished_total", [], "Items that have left, through the sink or filtered out";
    PIPELINE_IN_FLIGHT: Gauge, Count, "gristmill_pipeline_items_in_flight", [], "Items read that have not left; at the end, those given up";
    PIPELINE_THROUGHPUT: Gauge, PerSecond, "gristmill_pipeline_items_per_second", [], "Items that have left for each second since the start";
    PIPELINE_ELAPSED: Gauge, Seconds, "gristmill_pipeline_elapsed_seconds", [], "Time since the start, or from start to end";
    PIPELINE_WORKERS: Gauge, Count, "gristmill_pipeline_workers", [], "Threads that work, those of blocking stages included while it runs";
    PIPELINE_BUSY: Gauge, Count, "gristmill_pipeline_workers_busy", [], "Threads that are at some item now";
    PIPELINE_UTILISATION: Gauge, Ratio, "gristmill_pipeline_utilisation_ratio", [], "Share of the workers that are at some item now; at the end, of their time in which they had work";
    PIPELINE_ROW_ITEMS: Counter, Count, "gristmill_pipeline_row_items_total", ["position", "row"], "Items dealt with by the source, a row of parallel stages, or a stage that runs one item at a time";
    PIPELINE_ROW_QUEUED: Gauge, Count, "gristmill_pipeline_row_items_queued", ["position", "row"], "Items that wait in front of it";
    PIPELINE_MISSING: Gauge, Count, "gristmill_pipeline_workers_missing", [], "Threads that were wanted and could not be created, those of blocking stages included while it runs";
    PIPELINE_IDLE: Counter, Seconds, "gristmill_pipeline_idle_seconds_total", [], "Time in which workers had nothing to do";
    PIPELINE_ERRORS: Gauge, Ratio, "gristmill_pipeline_error_ratio", [], "Failures and panics in all stages for each item read";
    PIPELINE_LATENCY: Gauge, Seconds, "gristmill_pipeline_latency_seconds", ["quantile"], "Time of an item from source to sink, over the whole run";
    PIPELINE_LATENCY_MAX: Gauge, Seconds, "gristmill_pipeline_latency_seconds_max", [], "The longest time of an item from source to sink";
    PIPELINE_LATENCY_COUNT: Counter, Count, "gristmill_pipeline_latency_seconds_count", [], "Items of which that was measured";
    STAGE_IN: Counter, Count, "gristmill_pipeline_stage_items_in_total", ["position", "stage"], "Items that came to a stage";
    STAGE_OUT: Counter, Count, "gristmill_pipeline_stage_items_out_total", ["position", "stage"], "Items that left a stage";
    STAGE_ITEMS: Counter, Count, "gristmill_pipeline_stage_items_total", ["position", "stage", "outcome"], "Items that came to a stage: passed, filtered, failed, panicked, undone";
    STAGE_TIME: Counter, Seconds, "gristmill_pipeline_stage_seconds_total", ["position", "stage", "state"], "Time of a stage: busy, waiting, starved, blocked";
    STAGE_UTILISATION: Gauge, Ratio, "gristmill_pipeline_stage_utilisation_ratio", ["position", "stage"], "Share of the run in which a stage was busy, of what it can be at most";
    STAGE_LATENCY: Gauge, Seconds, "gristmill_pipeline_stage_latency_seconds", ["position", "stage", "quantile"], "Time of a stage for one item, over the whole run";
    STAGE_LATENCY_MAX: Gauge, Seconds, "gristmill_pipeline_stage_latency_seconds_max", ["position", "stage"], "The longest time of a stage for one item";
    STAGE_LATENCY_COUNT: Counter, Count, "gristmill_pipeline_stage_latency_seconds_count", ["position", "stage"], "Items for which the time of a stage was measured, or one whose time was stands for them";
    GROUP_SPAWNED: Counter, Count, "gristmill_group_tasks_spawned_total", [], "Tasks that the group took";
    GROUP_TASKS: Counter, Count, "gristmill_group_tasks_total", ["outcome"], "Tasks that have ended: succeeded, failed, panicked, cancelled";
    GROUP_WAITING: Gauge, Count, "gristmill_group_tasks_waiting", [], "Tasks that have not started";
    GROUP_RUNNING: Gauge, Count, "gristmill_group_tasks_running", [], "Tasks that run";
    GROUP_LIMIT: Gauge, Count, "gristmill_group_tasks_limit", [], "Tasks that may run at a time";
    GROUP_UTILISATION: Gauge, Ratio, "gristmill_group_utilisation_ratio", [], "Running tasks for each that may run";
    GROUP_ERRORS: Gauge, Ratio, "gristmill_group_error_ratio", [], "Share of the tasks that ran to their end which failed or panicked";
    SEMAPHORE_CAPACITY: Gauge, Count, "gristmill_semaphore_permits_capacity", [], "Permits that there are";
    SEMAPHORE_AVAILABLE: Gauge, Count, "gristmill_semaphore_permits_available", [], "Permits that nobody holds";
    SEMAPHORE_HELD: Gauge, Count, "gristmill_semaphore_permits_held", [], "Permits that are held";
    SEMAPHORE_WAITING: Gauge, Count, "gristmill_semaphore_calls_waiting", [], "Callers that queue";
    SEMAPHORE_UTILISATION: Gauge, Ratio, "gristmill_semaphore_utilisation_ratio", [], "Permits held for each that there is";
    SEMAPHORE_CLOSED: Gauge, Count, "gristmill_semaphore_closed", [], "1 if it is closed";
    LIMITER_TAKEN: Counter, Count, "gristmill_limiter_permits_taken_total", [], "Permits that were taken, those given back later included";
    LIMITER_GIVEN_BACK: Counter, Count, "gristmill_limiter_permits_given_back_total", [], "Permits that were given back";
    LIMITER_DENIED: Counter, Count, "gristmill_limiter_calls_denied_total", ["reason"], "Calls without permits: refused, timed_out, cancelled";
    LIMITER_WAITED: Counter, Count, "gristmill_limiter_calls_waited_total", [], "Calls that had to wait, those that wait now included";
    LIMITER_WAITING: Gauge, Count, "gristmill_limiter_calls_waiting", [], "Calls that wait now";
    LIMITER_WAIT: Counter, Seconds, "gristmill_limiter_wait_seconds_total", [], "Time of the waits that have ended";
    LIMITER_KEYS: Gauge, Count, "gristmill_limiter_keys", [], "Keys that are kept now, of a limiter by keys";
    LIMITER_FORGOTTEN: Counter, Count, "gristmill_limiter_keys_forgotten_total", [], "Keys that were forgotten to make room for others";
    LIMITER_NO_ROOM: Counter, Count, "gristmill_limiter_keys_refused_total", [], "Refused calls for which there was no room for another key";
    BREAKER_CALLS: Counter, Count, "gristmill_breaker_calls_total", ["outcome"], "Calls that have ended: succeeded, failed, abandoned, ignored, late";
    BREAKER_SLOW: Counter, Count, "gristmill_breaker_calls_slow_total", [], "Calls that were slow";
    BREAKER_REFUSED: Counter, Count, "gristmill_breaker_calls_refused_total", [], "Calls that were not let through";
    BREAKER_OPENINGS: Counter, Count, "gristmill_breaker_openings_total", [], "How many times it opened because of its calls";
    BREAKER_PROBES: Gauge, Count, "gristmill_breaker_probes_running", [], "Probes that are under way";
    BREAKER_FAILURE_RATE: Gauge, Ratio, "gristmill_breaker_failure_ratio", [], "Share of failures in the window; absent with too few calls in it";
    BREAKER_SLOW_RATE: Gauge, Ratio, "gristmill_breaker_slow_ratio", [], "Share of slow calls in the window; absent with too few calls in it";
    BREAKER_STATE: Gauge, Count, "gristmill_breaker_state", ["state"], "1 for the state that it is in: closed, open, half_open, forced_open, disabled, observe_only";
    RETRY_CALLS: Counter, Count, "gristmill_retry_calls_total", ["outcome"], "Calls that have ended: succeeded_at_first, succeeded_after_retry, attempts_used_up, timed_out, budget_empty, terminal, cancelled, panicked";
    RETRY_ATTEMPTS: Counter, Count, "gristmill_retry_attempts_total", [], "Attempts that have ended";
    RETRY_RETRIES: Counter, Count, "gristmill_retry_retries_total", [], "Attempts beyond the first of their call";
    RETRY_SLEEPING: Gauge, Count, "gristmill_retry_calls_sleeping", [], "Calls that pause now";
    RETRY_SLEPT: Counter, Seconds, "gristmill_retry_sleep_seconds_total", [], "Time of the pauses that have ended";
    OBJECTS_CAPACITY: Gauge, Count, "gristmill_object_pool_objects_capacity", [], "Objects that there may be at once";
    OBJECTS_IN_USE: Gauge, Count, "gristmill_object_pool_objects_in_use", [], "Objects that are held, being made or being dropped";
    OBJECTS_IDLE: Gauge, Count, "gristmill_object_pool_objects_idle", [], "Objects that could be taken";
    OBJECTS_WAITING: Gauge, Count, "gristmill_object_pool_calls_waiting", [], "Calls that queue";
    OBJECTS_UTILISATION: Gauge, Ratio, "gristmill_object_pool_utilisation_ratio", [], "Objects in use for each that there may be";
    OBJECTS_CREATED: Counter, Count, "gristmill_object_pool_objects_created_total", [], "Objects that were made";
    OBJECTS_REUSED: Counter, Count, "gristmill_object_pool_objects_reused_total", [], "How often an object was taken that was there before";
    OBJECTS_DETACHED: Counter, Count, "gristmill_object_pool_objects_detached_total", [], "Objects that were detached";
    OBJECTS_DISCARDED: Counter, Count, "gristmill_object_pool_objects_discarded_total", ["reason"], "Objects that were dropped: expired, failed_check, failed_reset, panicked, by_holder, cleared";
    OBJECTS_FAILURES: Counter, Count, "gristmill_object_pool_create_failures_total", [], "How often the create hook failed or panicked";
    OBJECTS_DENIED: Counter, Count, "gristmill_object_pool_calls_denied_total", ["reason"], "Calls that ended without a turn: refused, timed_out, cancelled";
    OBJECTS_WAITED: Counter, Count, "gristmill_object_pool_calls_waited_total", [], "Calls whose wait has ended";
    OBJECTS_WAIT: Counter, Seconds, "gristmill_object_pool_wait_seconds_total", [], "Time of the waits that have ended";
    OBJECTS_CLOSED: Gauge, Count, "gristmill_object_pool_closed", [], "1 if it is closed";
    ROUTER_SENT: Counter, Count, "gristmill_router_items_sent_total", [], "Items that were sent, a broadcast counted once";
    ROUTER_REFUSED: Counter, Count, "gristmill_router_items_refused_total", [], "Items that came back to their sender";
    ROUTER_MISSED: Counter, Count, "gristmill_router_items_missed_total", [], "Broadcasts that a full lane missed, each lane counted";
    ROUTER_QUEUED: Gauge, Count, "gristmill_router_items_queued", [], "Items that are queued";
    ROUTER_UNDELIVERED: Gauge, Count, "gristmill_router_items_undelivered", [], "Queued items that nobody receives: of dead lanes, or of a shared queue without lanes";
    ROUTER_LANES: Gauge, Count, "gristmill_router_lanes", ["state"], "Lanes: alive, dead";
    LANE_SENT: Counter, Count, "gristmill_router_lane_items_sent_total", ["lane"], "Items that were sent to a lane";
    LANE_MISSED: Counter, Count, "gristmill_router_lane_items_missed_total", ["lane"], "Broadcasts that a lane missed";
    LANE_QUEUED: Gauge, Count, "gristmill_router_lane_items_queued", ["lane"], "Items queued in a lane; for a shared queue, in all of it";
    MERGE_RECEIVED: Counter, Count, "gristmill_merge_items_received_total", [], "Items that were delivered";
    MERGE_ADDED: Counter, Count, "gristmill_merge_inputs_added_total", [], "Inputs that were let in";
    MERGE_ENDED: Counter, Count, "gristmill_merge_inputs_ended_total", [], "Inputs that have ended and were emptied";
    MERGE_INPUTS: Gauge, Count, "gristmill_merge_inputs", [], "Inputs that have not";
    MERGE_QUEUED: Gauge, Count, "gristmill_merge_items_queued", [], "Items in the channels of all inputs";
    MERGE_INPUT_QUEUED: Gauge, Count, "gristmill_merge_input_items_queued", ["input"], "Items in the channel of an input";
}

/** A panel: what is drawn, in which unit of Grafana's, and how each line is named. */
export type Panel = { title: string; unit: string; lines: [expression: string, legend: string][]; kind?: 'stat' | 'timeseries' }
/** A dashboard of panels, three to a row. */
export type Dashboard = { uid: string; title: string; panels: Panel[] }

const REQUESTS = 'healthmed_http_request_seconds'
const OWN = 'route!~"/(health|metrics|internal).*"'

const gateway: Dashboard = {
  uid: 'healthmed-gateway',
  title: 'Gateway',
  panels: [
    { title: 'Requests by route', unit: 'reqps', lines: [['job_route:healthmed_requests:rate5m{job="gateway"}', '{{route}}']] },
    { title: 'Failures of ours by route', unit: 'reqps', lines: [['job_route:healthmed_errors:rate5m{job="gateway"}', '{{route}}']] },
    { title: 'p99 by route', unit: 's', lines: [['job_route:healthmed_request_seconds:p99{job="gateway"}', '{{route}}']] },
    { title: 'Answers by status', unit: 'reqps', lines: [[`sum by (status) (rate(${REQUESTS}_count{job="gateway"}[5m]))`, '{{status}}']] },
    { title: 'Requests in flight', unit: 'short', lines: [['healthmed_requests_in_flight', '{{instance}}']] },
    {
      title: 'Replicas as the gateway sees them',
      unit: 'short',
      lines: [['max by (upstream, state) (healthmed_upstream_replicas)', '{{upstream}} {{state}}']]
    },
    { title: 'Processor', unit: 'percentunit', lines: [['instance:healthmed_cpu:rate5m{job="gateway"}', '{{instance}}']] },
    { title: 'Memory', unit: 'bytes', lines: [['healthmed_process_resident_bytes{job="gateway"}', '{{instance}}']] },
    {
      title: 'Event loop delay, p99',
      unit: 's',
      lines: [['healthmed_event_loop_lag_seconds{job="gateway", quantile="0.99"}', '{{instance}}']]
    }
  ]
}

const overview: Dashboard = {
  uid: 'healthmed-overview',
  title: 'Overview',
  panels: [
    {
      title: 'Replicas that answer',
      unit: 'short',
      kind: 'stat',
      lines: [['sum by (job) (up{job=~"gateway|auth|scheduling|notifier"})', '{{job}}']]
    },
    { title: 'Failures in the last hour', unit: 'percentunit', kind: 'stat', lines: [['healthmed:error_ratio:rate1h', 'of all requests']] },
    { title: 'Alerts that fire', unit: 'short', kind: 'stat', lines: [['count(ALERTS{alertstate="firing"}) or vector(0)', 'alerts']] },
    { title: 'Requests', unit: 'reqps', lines: [['sum by (job) (job_route:healthmed_requests:rate5m)', '{{job}}']] },
    {
      title: 'Latency',
      unit: 's',
      lines: [
        ['job:healthmed_request_seconds:p50', '{{job}} p50'],
        ['job:healthmed_request_seconds:p99', '{{job}} p99']
      ]
    },
    { title: 'Dependencies', unit: 'short', lines: [['min by (job, dependency) (healthmed_dependency_up)', '{{job}}: {{dependency}}']] },
    { title: 'Appointments by what happened', unit: 'ops', lines: [['type:healthmed_appointment_events:rate5m', '{{type}}']] },
    {
      title: 'Failed log-ins',
      unit: 'ops',
      lines: [
        [
          `sum by (code) (rate(healthmed_problems_total{job="auth", code=~"invalid_credentials|too_many_attempts|mfa_invalid|refresh_reused"}[5m]))`,
          '{{code}}'
        ]
      ]
    },
    {
      title: 'Last restart',
      unit: 'dateTimeFromNow',
      kind: 'stat',
      lines: [['max by (job) (healthmed_process_start_seconds) * 1000', '{{job}}']]
    }
  ]
}

const scheduling: Dashboard = {
  uid: 'healthmed-scheduling',
  title: 'Scheduling and log-in',
  panels: [
    {
      title: 'Bookings',
      unit: 'ops',
      lines: [[`sum by (status) (rate(${REQUESTS}_count{job="scheduling", method="POST", route="/v1/appointments"}[5m]))`, '{{status}}']]
    },
    { title: 'Bookings refused', unit: 'ops', lines: [['code:healthmed_bookings_refused:rate5m', '{{code}}']] },
    { title: 'Slot search, p99', unit: 's', lines: [['healthmed_slot_search_seconds:p99', 'p99']] },
    { title: 'Requests by route', unit: 'reqps', lines: [['job_route:healthmed_requests:rate5m{job="scheduling"}', '{{route}}']] },
    { title: 'p99 by route', unit: 's', lines: [['job_route:healthmed_request_seconds:p99{job="scheduling"}', '{{route}}']] },
    { title: 'Pool: asked for ÷ there', unit: 'percentunit', lines: [['job:healthmed_pool_use:ratio', '{{job}}']] },
    {
      title: 'Transactions tried again',
      unit: 'ops',
      lines: [['sum by (job, sqlstate) (rate(healthmed_database_retries_total[5m]))', '{{job}} {{sqlstate}}']]
    },
    { title: 'Password checks that wait', unit: 'short', lines: [['healthmed_password_queue_depth', '{{instance}}']] },
    {
      title: 'One password check, p99',
      unit: 's',
      lines: [['histogram_quantile(0.99, sum by (le) (rate(healthmed_password_seconds_bucket[5m])))', 'p99']]
    },
    {
      title: 'Auth by route',
      unit: 'reqps',
      lines: [[`sum by (route, status) (rate(${REQUESTS}_count{job="auth", ${OWN}}[5m]))`, '{{route}} {{status}}']]
    },
    { title: 'Processor', unit: 'percentunit', lines: [['instance:healthmed_cpu:rate5m{job=~"auth|scheduling"}', '{{job}} {{instance}}']] },
    { title: 'Memory', unit: 'bytes', lines: [['healthmed_process_resident_bytes{job=~"auth|scheduling"}', '{{job}} {{instance}}']] }
  ]
}

const delivery: Dashboard = {
  uid: 'healthmed-delivery',
  title: 'Delivery',
  panels: [
    { title: 'Outbox: oldest event', unit: 's', lines: [['job:healthmed_outbox_oldest_seconds:max', '{{job}}']] },
    { title: 'Outbox: events that wait', unit: 'short', lines: [['job:healthmed_outbox_depth:max', '{{job}}']] },
    {
      title: 'Published',
      unit: 'ops',
      lines: [['sum by (job, outcome) (rate(healthmed_outbox_published_total[5m]))', '{{job}} {{outcome}}']]
    },
    {
      title: 'Consumed',
      unit: 'ops',
      lines: [['sum by (job, outcome) (rate(healthmed_events_consumed_total[5m]))', '{{job}} {{outcome}}']]
    },
    { title: 'Queues: ready', unit: 'short', lines: [['sum by (queue) (rabbitmq_detailed_queue_messages_ready)', '{{queue}}']] },
    { title: 'Dead letters', unit: 'short', kind: 'stat', lines: [['max(healthmed_dead_letters)', 'dead letters']] },
    { title: 'Mails by result', unit: 'ops', lines: [['outcome:healthmed_mails:rate5m', '{{outcome}}']] },
    { title: 'Event to mail taken, p99', unit: 's', lines: [['healthmed_mail_latency_seconds:p99', 'p99']] },
    {
      title: 'Mails that wait',
      unit: 'short',
      lines: [
        ['max(healthmed_mails_waiting)', 'waiting'],
        ['max(healthmed_mails_oldest_seconds)', 'oldest, s']
      ]
    },
    {
      title: 'Mails by template',
      unit: 'ops',
      lines: [['sum by (template) (rate(healthmed_mails_total{outcome="sent"}[5m]))', '{{template}}']]
    },
    { title: 'Reminders', unit: 'ops', lines: [['sum by (outcome) (rate(healthmed_reminders_total[5m]))', '{{outcome}}']] },
    { title: 'Mail server there', unit: 'short', kind: 'stat', lines: [['min(healthmed_smtp_up)', 'there']] },
    {
      title: 'Leases that another took',
      unit: 'ops',
      lines: [
        ['sum(rate(healthmed_outbox_lease_conflicts_total[5m]))', 'events'],
        ['sum(rate(healthmed_mail_lease_conflicts_total[5m]))', 'mails']
      ]
    }
  ]
}

const stores: Dashboard = {
  uid: 'healthmed-stores',
  title: 'PostgreSQL and RabbitMQ',
  panels: [
    {
      title: 'PostgreSQL: transactions',
      unit: 'ops',
      lines: [
        ['sum(rate(pg_stat_database_xact_commit{datname="healthmed"}[5m]))', 'committed'],
        ['sum(rate(pg_stat_database_xact_rollback{datname="healthmed"}[5m]))', 'rolled back']
      ]
    },
    {
      title: 'PostgreSQL: connections',
      unit: 'short',
      lines: [
        ['sum by (state) (pg_stat_activity_count)', '{{state}}'],
        ['max(pg_settings_max_connections)', 'most']
      ]
    },
    {
      title: 'PostgreSQL: read from memory',
      unit: 'percentunit',
      lines: [
        [
          'sum(rate(pg_stat_database_blks_hit{datname="healthmed"}[5m])) / (sum(rate(pg_stat_database_blks_hit{datname="healthmed"}[5m])) + sum(rate(pg_stat_database_blks_read{datname="healthmed"}[5m])))',
          'hit'
        ]
      ]
    },
    { title: 'PostgreSQL: size', unit: 'bytes', lines: [['pg_database_size_bytes{datname="healthmed"}', 'healthmed']] },
    {
      title: 'PostgreSQL: deadlocks',
      unit: 'short',
      lines: [['increase(pg_stat_database_deadlocks{datname="healthmed"}[5m])', 'in 5 min']]
    },
    { title: 'PostgreSQL: locks', unit: 'short', lines: [['sum by (mode) (pg_locks_count{datname="healthmed"})', '{{mode}}']] },
    {
      title: 'RabbitMQ: connections and channels',
      unit: 'short',
      lines: [
        ['rabbitmq_connections', 'connections'],
        ['rabbitmq_channels', 'channels']
      ]
    },
    {
      title: 'RabbitMQ: messages',
      unit: 'ops',
      lines: [
        ['sum(rate(rabbitmq_global_messages_received_confirm_total[5m]))', 'published'],
        ['sum(rate(rabbitmq_global_messages_acknowledged_total[5m]))', 'acknowledged']
      ]
    },
    {
      title: 'RabbitMQ: memory',
      unit: 'bytes',
      lines: [
        ['rabbitmq_process_resident_memory_bytes', '{{instance}}'],
        ['rabbitmq_resident_memory_limit_bytes', 'limit']
      ]
    },
    { title: 'RabbitMQ: disk left', unit: 'bytes', lines: [['rabbitmq_disk_space_available_bytes', '{{instance}}']] },
    {
      title: 'Disk left',
      unit: 'percentunit',
      lines: [
        [
          'min by (mountpoint) (node_filesystem_avail_bytes{fstype!~"tmpfs|overlay|squashfs"} / node_filesystem_size_bytes{fstype!~"tmpfs|overlay|squashfs"})',
          '{{mountpoint}}'
        ]
      ]
    },
    { title: 'Last backup', unit: 'dateTimeFromNow', kind: 'stat', lines: [['max(healthmed_backup_finished_seconds) * 1000', 'finished']] }
  ]
}

/** Every dashboard, by the name of its file. */
export const dashboards: Record<string, Dashboard> = { overview, gateway, scheduling, delivery, stores }

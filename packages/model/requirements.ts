/**
 * What Crossfade must make real, as data: four families of requirements and three of regressions (complaints about
 * other systems that must not come true for users of this one). Tests cite the ids in their names; `npm run check`
 * lists those in scope that no test cites.
 */
export interface Requirement {
  readonly id: string
  readonly area: Area
  /** What must hold, in one line. */
  readonly text: string
  /** `now`: part of what is built. `later`: belongs to a capability that is not built yet. */
  readonly scope: 'now' | 'later'
}

export type Area =
  | 'postgres data'
  | 'mongodb data'
  | 'brokers'
  | 'deployment'
  | 'storage'
  | 'services'
  | 'strangler'
  | 'mcp gateway'
  | 'traffic'

/** Instances of one service, served once for all users instead of once per user. */
const sharedInstances: readonly Requirement[] = [
  built(
    'SI-01',
    'services',
    'a command builds the service registry from one file per service: metadata, discovery, health',
  ),
  built('SI-02', 'services', 'more than 373 real services, each on a port of its own that never changes'),
  built('SI-03', 'services', 'registry, instances, health, usage by month and key cache as tables with their indexes'),
  built('SI-04', 'services', 'views of a user’s services with their URLs, and of health with active users'),
  built('SI-05', 'services', 'usage older than six months and expired cache rows are removed on time, and logged'),
  built('SI-06', 'mcp gateway', 'instances have ids, are authenticated, and are routed to by id and service'),
  built('SI-07', 'mcp gateway', 'one runtime serves every service, with the user and credentials of each request'),
  built('SI-08', 'mcp gateway', 'credentials are encrypted at rest with AES-256, and the keys rotate'),
  built('SI-09', 'mcp gateway', 'API keys, OAuth 2 and basic authentication, validated upstream, the results cached'),
  built('SI-10', 'mcp gateway', 'an API to authenticate, read and delete instances, and to list a user’s own'),
  built(
    'SI-11',
    'services',
    'the process manager’s file is generated from the registry; start-all and health commands',
  ),
  built('SI-12', 'services', 'a console for keys, instance URLs, status and usage'),
  built('SI-13', 'services', 'health is monitored with retries: failures, response time, uptime'),
  built('SI-14', 'services', 'row security between users, least-privilege roles, an audit log, TLS to the database'),
  built('SI-15', 'services', 'rows of the old instance tables move to the new ones; the old are archived'),
  later('SI-16', 'services', 'both models run side by side while users move gradually; performance is compared'),
  later('SI-17', 'services', 'the cutover follows its order from announcement to monitoring'),
  later('SI-18', 'services', 'going back takes less than an hour for routing, less than four for data'),
  built('SI-19', 'services', 'all services start within 5 s, add less than 100 ms, use half the memory'),
  built('SI-20', 'mcp gateway', 'users are proven to be isolated from each other'),
]

/** An application’s storage interface, moved from memory to a database method by method. */
const storage: readonly Requirement[] = [
  later('ST-01', 'storage', 'projects: list by user, list all, get, create, update'),
  later('ST-02', 'storage', 'servers that administrators manage: list active, get, create, update, soft delete'),
  later('ST-03', 'storage', 'chat messages: list by user in order, create'),
  later('ST-04', 'storage', 'the marketplace over projects: get, publish, update, unpublish'),
  later('ST-05', 'storage', 'purchases, paged reviews, downloads and their tokens, statistics, revenue events'),
  later('ST-06', 'storage', 'an HTTP API over these with access control and isolated credentials'),
  later('ST-07', 'storage', 'one method at a time behind flags, backward compatible, no downtime'),
  later('ST-08', 'storage', 'what is in memory is carried over; old and new are compared after each step'),
  later('ST-09', 'storage', 'transactions, retries of transient failures, migration activity logged'),
  later('ST-10', 'storage', 'performance measured before and after; indexes and caching'),
  later('ST-11', 'storage', 'rollback by flag and of data, its triggers and its alerts'),
]

/** A service that coordinates migrations of sharded databases. */
const dataMigration: readonly Requirement[] = [
  now('DM-01', 'connections by shard, managed topology, routing of keys to shards'),
  now('DM-02', 'durable migration state, planner, orchestration over shards, status'),
  now('DM-03', 'executors that work in batches and in parallel'),
  now('DM-04', 'validation of what was moved'),
  now('DM-05', 'transformations: message, tenant, channel and common patterns, and a factory for one’s own'),
  later('DM-06', 'services', 'clients of the services concerned, with retries'),
  later('DM-07', 'brokers', 'RabbitMQ and Kafka: publishers, consumers, migrations driven by events'),
  now('DM-08', 'a REST API for migrations, status and administration'),
  now('DM-09', 'backup and restore'),
  now('DM-10', 'metrics, a dashboard, alerts, analysis of performance'),
  later('DM-11', 'deployment', 'deployment on Kubernetes: image, manifests, scripts'),
  now('DM-12', 'a shard simulator and a migration generator'),
  later('DM-13', 'deployment', 'documentation of architecture, deployment, troubleshooting and each database'),
  later('DM-14', 'mongodb data', 'the documented collections and tables with their shard keys as a real fixture'),
  now('DM-15', 'throttling and off-peak windows'),
  now('DM-16', 'nothing lost, under 5 % slower while moving, exact rollback, visible in real time, 99 % succeed'),
  now('DM-17', 'least privilege; sensitive data encrypted'),
]

/** A monolith, replaced service by service. */
const microservices: readonly Requirement[] = [
  later('MS-01', 'strangler', 'a gateway moves routes to services by weight, watches them, and takes them back'),
  later('MS-02', 'strangler', 'authentication service: users, sessions, refresh tokens'),
  later('MS-03', 'strangler', 'user service: users, profiles, preferences, organizations'),
  later('MS-04', 'strangler', 'notification service: email, in-app, templates, delivery logs'),
  later('MS-05', 'strangler', 'tenants, roles and analytics as services'),
  later('MS-06', 'strangler', 'a database per service, fed from the monolith, validated, tables moved one by one'),
  later('MS-07', 'strangler', 'one typed client; errors, loading and circuit breaking in the front end'),
  later('MS-08', 'strangler', 'plugins run isolated, with permissions, limits and metrics'),
  later('MS-09', 'strangler', 'trace ids and bearer tokens between services; events'),
  later('MS-10', 'strangler', 'sagas with compensation; an event store for audit'),
  later('MS-11', 'strangler', 'circuit breaker; retries with exponential back-off'),
  later('MS-12', 'traffic', 'blue-green with instant rollback; canaries'),
  later('MS-13', 'deployment', 'discovery, load balancing, Kubernetes, continuous delivery'),
  later('MS-14', 'deployment', 'metrics, dashboards and traces in their usual tools'),
  later('MS-15', 'strangler', '10,000 users at once, p95 under 100 ms, 99.9 % available, twice as fast as before'),
  later('MS-16', 'strangler', 'encryption between services; sandbox and gateway tested for security'),
  later('MS-17', 'strangler', 'old endpoints are gone, old tables archived, nothing lost in function'),
  later('MS-18', 'strangler', 'an administration panel: users, tenants, roles, analytics'),
]

/** What went wrong for users of other movers of data. */
const dataRegressions: readonly Requirement[] = [
  now('D01', 'any difference found makes the exit code non-zero and names the rows'),
  now('D02', 'a kill at any chunk resumes, and at most one chunk per worker is done again'),
  now('D03', 'changes are applied faster than they are offered, or a forecast before the start says they will not be'),
  now('D04', 'the cutover position is reached on an idle source too'),
  now('D05', 'problems are found before the start; retained WAL has a budget that pauses, then fails closed'),
  now('D06', 'abort leaves no slot, publication, trigger, schema or table behind'),
  now('D07', 'a restart of the target is ridden out'),
  now('D08', 'an unchanged TOAST value survives every path: update, key change, move between shards, reverse'),
  now('D09', 'a restart during the snapshot resumes with a new snapshot, the same slot and watermarks'),
  now('D10', 'a cutover completes on all shards or is undone on all'),
  now('D11', 'the reverse stream exists before the first write on the target'),
  now('D12', 'long transactions are drained, or the cutover does not start'),
  now('D13', 'a gate on lag and a deadline: no pause of writes when the cutover would fail'),
  now('D14', 'verification holds no lock, and no snapshot for longer than one chunk'),
  now('D15', 'position and data commit together'),
  now('D16', 'the reverse stream is on unless switched off'),
  now('D17', 'every backend of ours killed during the cutover, and nothing is lost'),
  now('D18', 'identity and generated columns work on every path'),
  now('D19', 'partitioned source and target, in all four combinations'),
  now('D20', 'a busy table verifies clean, without one false mismatch'),
]

/** What went wrong for users of other MCP gateways. */
const gatewayRegressions: readonly Requirement[] = [
  built('M01', 'mcp gateway', 'processes and memory stay flat over a long run'),
  built('M02', 'mcp gateway', 'no orphan is left when the parent is killed'),
  built('M03', 'mcp gateway', 'no tenant is ever served with the token of another'),
  built('M04', 'mcp gateway', 'isolation holds when two tenants have the same upstream key'),
  built('M05', 'mcp gateway', 'tokens are refreshed under one lock per instance; a failure names its remedy'),
  built('M06', 'mcp gateway', 'one definition of a service, credentials per user'),
  built('M07', 'mcp gateway', 'one key is replaced with nothing else touched'),
  built('M08', 'mcp gateway', 'a replaced or revoked key stops working at once on every worker'),
  built('M09', 'mcp gateway', 'tools are chosen per instance, and can be searched'),
  built('M10', 'mcp gateway', 'specifications that refer to themselves load'),
  built('M11', 'mcp gateway', 'no request fails while the configuration is reloaded under load'),
  built('M12', 'mcp gateway', 'bearer tokens by default; a URL as the only credential is opt-in and never logged'),
  built('M13', 'mcp gateway', 'encryption keys rotate under load'),
]

/** What went wrong for users of other shifters of traffic. */
const trafficRegressions: readonly Requirement[] = [
  later('T01', 'traffic', 'assignment to old or new is exact, monotone and needs no cookie'),
  later('T02', 'traffic', 'no data means hold'),
  later('T03', 'traffic', 'capacity is checked before traffic goes back'),
  later('T04', 'traffic', 'retries have a budget'),
  later('T05', 'traffic', 'aborted requests leak nothing'),
  later('T06', 'traffic', 'an upstream that refuses connections costs a 502, not the process'),
  later('T07', 'traffic', 'the queue of differences is bounded, with rules and learned noise to ignore'),
  later('T08', 'traffic', 'a mirrored request equals the original but for one marker'),
]

/** Every requirement and regression, in the order of the families. */
export const requirements: readonly Requirement[] = [
  ...sharedInstances,
  ...storage,
  ...dataMigration,
  ...microservices,
  ...dataRegressions,
  ...gatewayRegressions,
  ...trafficRegressions,
]

function now(id: string, text: string): Requirement {
  return { id, area: 'postgres data', text, scope: 'now' }
}

function built(id: string, area: Area, text: string): Requirement {
  return { id, area, text, scope: 'now' }
}

function later(id: string, area: Area, text: string): Requirement {
  return { id, area, text, scope: 'later' }
}

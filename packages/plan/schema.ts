import { type Stage, stages } from '@crossfade/model/stage.ts'
import {
  type Static,
  type TLiteral,
  type TObjectOptions,
  type TProperties,
  type TSchema,
  type TUnion,
  Type,
} from 'typebox'

/** Longest plan name: it is part of slot and publication names, which PostgreSQL cuts at 63 bytes. */
export const planNameLengthMax = 40

/** An object of these properties and no others: a misspelt option is refused, not passed over. */
const Closed = <Properties extends TProperties>(properties: Properties, options: TObjectOptions = {}) =>
  Type.Object(properties, { additionalProperties: false, ...options })

/** One of these words. */
const OneOf = <const Words extends string[]>(words: readonly [...Words], options: { description?: string } = {}) =>
  Type.Union(
    words.map((word) => Type.Literal(word)),
    options,
  ) as TSchema as TUnion<{ [Place in keyof Words]: TLiteral<Words[Place]> }>

const shardNamePattern = '^[A-Za-z0-9_-]{1,32}$'
const httpUrl = Type.String({ pattern: '^https?://', description: 'An http:// or https:// URL.' })

const Secret = Type.Union(
  [
    Closed({ env: Type.String({ minLength: 1, description: 'Name of the environment variable.' }) }),
    Closed({ file: Type.String({ minLength: 1, description: 'Path of the file; its first line counts.' }) }),
  ],
  { description: 'Where a secret is found: { env: NAME } or { file: PATH }. Plans never hold secrets themselves.' },
)
export type SecretSource = Static<typeof Secret>

const Connection = Type.Union(
  [
    Type.String({ minLength: 1, description: 'URL without password, for servers that need none.' }),
    Secret,
    Closed({ url: Type.String({ minLength: 1 }), passwordFrom: Type.Optional(Secret) }),
    Closed({ urlFrom: Secret }),
  ],
  {
    description:
      'A database: a URL without password, { url, passwordFrom: { env } }, or { urlFrom: { env } } for a whole URL kept outside.',
  },
)
export type Connection = Static<typeof Connection>

const TopologyChoice = Type.Union(
  [
    Closed({
      hash: Closed({
        buckets: Type.Integer({ minimum: 1, maximum: 1_048_576 }),
        owners: Type.Optional(
          Type.Record(
            Type.String(),
            Type.Array(Type.Tuple([Type.Integer({ minimum: 0 }), Type.Integer({ minimum: 0 })])),
            { description: 'Buckets of each shard as [first, last], both included.' },
          ),
        ),
      }),
    }),
    Closed({
      ranges: Type.Array(Closed({ shard: Type.String(), below: Type.Optional(Type.String()) }), {
        minItems: 1,
      }),
      order: Type.Optional(OneOf(['integer', 'text'])),
    }),
    Closed({
      directory: Closed({
        table: Type.String(),
        keyColumn: Type.String(),
        shardColumn: Type.String(),
        shard: Type.Optional(Type.String()),
        otherwise: Type.Optional(Type.String()),
      }),
    }),
  ],
  { description: 'How keys are spread over the shards: { hash }, { ranges } or { directory }.' },
)
export type TopologySpec = Static<typeof TopologyChoice>

const ShardSet = Closed({
  shards: Type.Record(Type.String({ pattern: shardNamePattern }), Connection, { minProperties: 1 }),
  topology: Type.Optional(TopologyChoice),
})

const Side = Type.Union([Connection, ShardSet], {
  description: 'One database, or { shards: { a: …, b: … }, topology }.',
})
export type SideSpec = Static<typeof Side>

const ShardKeyChoice = Type.Union(
  [
    Type.String({ minLength: 1, description: 'The column that holds the shard key.' }),
    Closed({ column: Type.String({ minLength: 1 }) }),
    Closed({
      via: Type.String({ minLength: 1, description: 'The column that refers to the parent.' }),
      parent: Type.String({ minLength: 1 }),
      parentColumn: Type.Optional(Type.String({ minLength: 1 })),
    }),
  ],
  { description: 'A column, or { via, parent } when the key is found in a parent row.' },
)
export type ShardKey = Static<typeof ShardKeyChoice>

const TransformerUse = Closed(
  { use: Type.String({ minLength: 1 }), with: Type.Optional(Type.Record(Type.String(), Type.Unknown())) },
  { description: 'A registered transformer by name, and its options.' },
)

const Tables = Closed({
  include: Type.Optional(
    Type.Array(Type.String({ minLength: 1 }), { description: 'Patterns with *; default: every table of the user.' }),
  ),
  exclude: Type.Optional(Type.Array(Type.String({ minLength: 1 }))),
  shardKey: Type.Optional(
    Type.String({ minLength: 1, description: 'Name of the column that is the shard key wherever a table has it.' }),
  ),
  shardKeys: Type.Optional(Type.Record(Type.String(), ShardKeyChoice)),
  reference: Type.Optional(
    Type.Array(Type.String({ minLength: 1 }), { description: 'Tables whose same rows live on every shard.' }),
  ),
  rename: Type.Optional(Type.Record(Type.String(), Type.String({ minLength: 1 }))),
  columns: Type.Optional(
    Type.Record(
      Type.String(),
      Closed({
        rename: Type.Optional(Type.Record(Type.String(), Type.String({ minLength: 1 }))),
        exclude: Type.Optional(Type.Array(Type.String({ minLength: 1 }))),
      }),
    ),
  ),
  where: Type.Optional(
    Type.Record(Type.String(), Type.String({ minLength: 1 }), {
      description: 'SQL conditions over the columns of the source; rows outside are not moved.',
    }),
  ),
  transform: Type.Optional(
    Type.Record(Type.String(), Type.Union([TransformerUse, Type.Array(TransformerUse, { minItems: 1 })])),
  ),
})

const durationText = Type.String({
  pattern: '^\\d+(\\.\\d+)?\\s*(ms|s|min|h)$',
  description: "A duration: '500 ms', '5 s', '2 min', '8 h'.",
})
const sizeText = Type.String({
  pattern: '^\\d+(\\.\\d+)?\\s*(B|KiB|MiB|GiB|TiB)$',
  description: "A size: '64 MiB', '32 GiB'.",
})
const Milliseconds = (description: string) =>
  Type.Union([Type.Integer({ minimum: 0 }), durationText], {
    description: `${description} Milliseconds, or '5 s', '2 min', '8 h'.`,
  })
const Bytes = (description: string) =>
  Type.Union([Type.Integer({ minimum: 0 }), sizeText], {
    description: `${description} Bytes, or '64 MiB', '32 GiB'.`,
  })
const Count = (description: string, minimum = 1) => Type.Integer({ minimum, description })

const Copy = Closed({
  chunkBytesMax: Type.Optional(Bytes('Size of one chunk, the unit that is redone after a crash.')),
  jobsPerWorker: Type.Optional(Count('Chunks copied at the same time by one worker.')),
})

const Changes = Closed({
  batchRowsMax: Type.Optional(Count('Rows applied in one transaction.')),
  batchBytesMax: Type.Optional(Bytes('Bytes applied in one transaction.')),
  batchMsMax: Type.Optional(Milliseconds('How long a batch may wait for more rows.')),
  spoolBytesMax: Type.Optional(Bytes('Memory for one streamed transaction before it is spooled to disk.')),
})

const Verification = Closed({
  chunkRowsMax: Type.Optional(Count('Rows compared by one statement.')),
  rechecksMax: Type.Optional(Count('Looks at a difference before it counts.')),
  recheckMs: Type.Optional(Milliseconds('Pause between two looks.')),
  touchedKeysMax: Type.Optional(Count('Keys changed and not yet proven; more slow the stream down.')),
  mismatchesReportedMax: Type.Optional(Count('Mismatches kept row by row; more are counted.')),
})

const Hook = Type.Union(
  [
    Closed({
      pgbouncer: Closed({
        adminUrl: Type.String({ minLength: 1 }),
        passwordFrom: Type.Optional(Secret),
        configPath: Type.String({ minLength: 1 }),
        databases: Type.Array(Type.String({ minLength: 1 }), { minItems: 1 }),
      }),
    }),
    Closed({
      webhook: Closed({
        url: httpUrl,
        tokenFrom: Type.Optional(Secret),
        timeoutMs: Type.Optional(Milliseconds('Longest wait for its answer.')),
      }),
    }),
    Closed({
      command: Closed({
        run: Type.Array(Type.String(), { minItems: 1 }),
        timeoutMs: Type.Optional(Milliseconds('Longest run.')),
      }),
    }),
  ],
  { description: 'What else is told around the flip: { pgbouncer }, { webhook } or { command }.' },
)
export type HookSpec = Static<typeof Hook>

const Cutover = Closed({
  groups: Type.Optional(
    Type.Union(
      [
        Type.Literal('together'),
        Type.Literal('each'),
        Type.Array(Type.Array(Type.String({ minLength: 1 }), { minItems: 1 }), { minItems: 1 }),
      ],
      {
        description: 'Source shards that move together, in order: "together" (default), "each", or lists of shards.',
      },
    ),
  ),
  deadlineMs: Type.Optional(Milliseconds('From the fence to the open target; past it everything is put back.')),
  fenceLockMsMax: Type.Optional(Milliseconds('How long the fence may wait for running transactions.')),
  attemptsMax: Type.Optional(Count('Attempts before the cutover gives up.')),
  transactionMsMax: Type.Optional(Milliseconds('No cutover starts while an older transaction is open.')),
  lagMsMax: Type.Optional(Milliseconds('No cutover starts while the stream lags more.')),
  sequenceMargin: Type.Optional(Count('Added to the greatest value of each sequence.', 0)),
  hooks: Type.Optional(Type.Array(Hook)),
})

const Probe = Type.Union(
  [
    Closed({
      name: Type.String({ minLength: 1 }),
      sql: Type.String({ minLength: 1 }),
      shard: Type.Optional(Type.String()),
      value: Type.Optional(OneOf(['latency', 'result'])),
      max: Type.Optional(Type.Number()),
    }),
    Closed({
      name: Type.String({ minLength: 1 }),
      url: httpUrl,
      path: Type.String({ description: 'Where in the JSON answer the number is: data.p95.' }),
      max: Type.Optional(Type.Number()),
    }),
  ],
  { description: 'A measure of the live system: { name, sql } on a source shard, or { name, url, path } over HTTP.' },
)

const Throttle = Closed({
  latencyBudget: Type.Optional(
    Type.Union([Type.Number({ exclusiveMinimum: 0, maximum: 10 }), Type.Null()], {
      description: 'Share by which probe latency may rise: 0.05 is five percent; null switches the closed loop off.',
    }),
  ),
  probes: Type.Optional(Type.Array(Probe)),
  activeBackendsMax: Type.Optional(Count('More active backends on a source slow the copy down.')),
  replicaLagMsMax: Type.Optional(Milliseconds('A replica of the source that lags more slows the copy down.')),
  walBytesPause: Type.Optional(Bytes('WAL held back by our slots over which the copy pauses.')),
  walBytesMax: Type.Optional(Bytes('WAL held back by our slots over which the migration fails closed.')),
  diskFreeBytesMin: Type.Optional(Bytes('Free space below which the copy pauses.')),
})

const Window = Closed({
  cron: Type.String({ minLength: 9, description: 'The moment it opens: minute hour day month weekday.' }),
  timezone: Type.Optional(Type.String({ minLength: 1 })),
  durationMs: Milliseconds('How long it stays open.'),
})

const Gate = Closed({
  kind: OneOf(['lag', 'verified', 'query', 'http', 'manual', 'latency'], {
    description: 'lag, verified, query, http, manual or latency.',
  }),
  name: Type.Optional(Type.String({ minLength: 1 })),
  limit: Type.Optional(Type.Number()),
  soakMs: Type.Optional(Milliseconds('How long it must hold before the stage may be entered.')),
  retreatAfterMs: Type.Optional(
    Milliseconds('When it is breached for so long after the stage was entered, one rung down.'),
  ),
  sql: Type.Optional(Type.String({ minLength: 1 })),
  shard: Type.Optional(Type.String({ minLength: 1 })),
  url: Type.Optional(httpUrl),
})
export type GateSpec = Static<typeof Gate>

const [, ...enterable] = stages
const optionalGates = Type.Optional(Type.Array(Gate))
const Gates = Closed(
  Object.fromEntries(enterable.map((stage) => [stage, optionalGates])) as Record<
    Exclude<Stage, 'off'>,
    typeof optionalGates
  >,
  {
    description: 'What must hold before a stage may be entered; given for a stage, it replaces its defaults.',
  },
)

const Until = OneOf(enterable, { description: 'The stage at which `apply` stops by itself. Default: rampdown.' })

/** The plan as a document, for YAML and JSON, and what `definePlan` is typed by. */
export const PlanSchema = Closed(
  {
    $schema: Type.Optional(Type.String()),
    name: Type.String({
      pattern: `^[a-z0-9][a-z0-9-]{0,${planNameLengthMax - 1}}$`,
      description: `Lower-case letters, digits and hyphens, at most ${planNameLengthMax}; it names the migration.`,
    }),
    source: Side,
    target: Side,
    tables: Type.Optional(Tables),
    schema: Type.Optional(
      Closed({
        mode: Type.Optional(OneOf(['create', 'existing'])),
        ddl: Type.Optional(OneOf(['stop', 'apply'])),
        largeObjects: Type.Optional(OneOf(['block', 'ignore'])),
      }),
    ),
    copy: Type.Optional(Copy),
    changes: Type.Optional(Changes),
    verification: Type.Optional(Verification),
    cutover: Type.Optional(Cutover),
    throttle: Type.Optional(Throttle),
    windows: Type.Optional(Type.Array(Window, { description: 'When the copy may run; none: always.' })),
    gates: Type.Optional(Gates),
    backup: Type.Optional(
      Closed({
        mode: Type.Optional(OneOf(['none', 'before-start'])),
        directory: Type.Optional(Type.String({ minLength: 1 })),
        drill: Type.Optional(Type.Boolean()),
      }),
    ),
    archive: Type.Optional(
      OneOf(['readonly', 'leave'], {
        description: 'What becomes of the source at complete.',
      }),
    ),
    until: Type.Optional(Until),
  },
  {
    title: 'Crossfade plan',
    description: 'What to move, from where, to where, and under which conditions.',
  },
)
export type PlanDocument = Static<typeof PlanSchema>

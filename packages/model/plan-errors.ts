import type { ErrorDefinition } from './error-definition.ts'

/** Codes of plan and configuration. */
export const planErrors = {
  CF1001: {
    sentence: 'The plan {path} cannot be read: {reason}.',
    remedy: 'Check the path and the syntax; `crossfade init URL` writes a plan that loads.',
    retry: false,
  },
  CF1002: {
    sentence: 'The plan is not valid at {place}: {reason}.',
    remedy: 'Correct that entry; your editor shows the allowed values when the plan uses `definePlan`.',
    retry: false,
  },
  CF1003: {
    sentence: 'The secret {name} is not set.',
    remedy:
      'Export the environment variable or create the file that the plan names; plans never hold secrets themselves.',
    retry: false,
  },
  CF1004: {
    sentence: 'The plan holds a password at {place}.',
    remedy:
      'Take it out and name where it is found: `urlFrom: env(NAME)`, or `url` without password and `passwordFrom: env(NAME)`.',
    retry: false,
  },
  CF1005: {
    sentence: 'The plan {path} exports no plan: {reason}.',
    remedy: 'Write `export default definePlan({ … })`.',
    retry: false,
  },
  CF1006: {
    sentence: 'The plan file {path} is not the one that was planned.',
    remedy: 'Its transforms may differ; restore the file, or plan and apply it as a new migration.',
    retry: false,
  },
  CF1010: {
    sentence: 'The plan names the table {table} at {place}, and no source has it.',
    remedy: 'Correct the name (schema.name, exactly as the catalog holds it) or take the entry out.',
    retry: false,
  },
  CF1011: {
    sentence: 'The plan names the column {column} of {table} at {place}, and the table does not have it.',
    remedy: 'Correct the column name; `crossfade init URL` shows what the database has.',
    retry: false,
  },
  CF1012: {
    sentence: 'The parents of the shard keys go round in a circle: {cycle}.',
    remedy: 'Give one of these tables a key column of its own in `tables.shardKeys`, or make it a reference table.',
    retry: false,
  },
  CF1013: {
    sentence: 'No shard key can be found for the table {table}.',
    remedy: 'Name its column or parent in `tables.shardKeys`, list it in `tables.reference`, or exclude it.',
    retry: false,
  },
  CF1014: {
    sentence: 'The pattern {pattern} at {place} matches no table.',
    remedy: 'Correct the pattern or take it out.',
    retry: false,
  },
  CF1015: {
    sentence: 'The plan selects no table.',
    remedy: 'Check `tables.include` and `tables.exclude`, and that the source is the right database.',
    retry: false,
  },
  CF1016: {
    sentence: 'The topology of the {side} is not valid: {reason}.',
    remedy: 'Correct the topology so that every key belongs to exactly one shard.',
    retry: false,
  },
  CF1017: {
    sentence: 'The plan names the shard {shard} at {place}, and there is none of that name.',
    remedy: 'Use one of: {known}.',
    retry: false,
  },
  CF1018: {
    sentence: 'Two tables, {first} and {second}, would both become {target}.',
    remedy: 'Rename or exclude one of them.',
    retry: false,
  },
  CF1019: {
    sentence: 'The source shards do not have the same table {table}: {reason}.',
    remedy: 'Bring all source shards to the same schema first, or exclude the table.',
    retry: false,
  },
  CF1020: {
    sentence: '{first} and {second} are the same database.',
    remedy: 'Give every shard a database of its own.',
    retry: false,
  },
  CF1021: {
    sentence: 'The directory table {table} of {shard} cannot be used: {reason}.',
    remedy: 'Check table and column names, and that every listed shard exists in the plan.',
    retry: false,
  },
  CF1022: {
    sentence:
      'The table {table} has no foreign key from {column} to {parent}, so the column it refers to is not known.',
    remedy: 'Add `parentColumn` to that entry of `tables.shardKeys`.',
    retry: false,
  },
  CF1023: {
    sentence: 'The condition of {table} is not valid: {reason}.',
    remedy: 'Correct `tables.where`; it is SQL over the columns of the source table.',
    retry: false,
  },
  CF1030: {
    sentence: 'There is no transformer {name}.',
    remedy: 'Use one of: {known}; or register yours with `defineTransformer`.',
    retry: false,
  },
  CF1031: {
    sentence: 'The options of the transformer {name} are not valid at {place}: {reason}.',
    remedy: 'Correct the options; `crossfade new transform --list` shows what each takes.',
    retry: false,
  },
  CF1032: {
    sentence: 'The transformer {name} is registered twice.',
    remedy: 'Choose another name for yours.',
    retry: false,
  },
  CF1033: {
    sentence: 'The transformer {name} cannot carry the value of {column}: {reason}.',
    remedy: 'Correct the row, or change the transformer so that it has an answer for such values.',
    retry: false,
  },
  CF1034: {
    sentence: 'There is no transform for {table} in the plan file {path}.',
    remedy: 'The plan and its file do not belong together; plan it again.',
    retry: false,
  },
} as const satisfies Record<string, ErrorDefinition>

import { fail } from '@crossfade/model/failure.ts'
import type { Row } from '@crossfade/pipeline/transform.ts'
import { Type } from 'typebox'
import { inverse, isInjective, replaceValue, translate } from './columns.ts'
import { defineTransformer } from './transformer.ts'

/**
 * For tables of tenants and what belongs to them: a prefix before the tenant's id in the given columns, and the status translated. Reversible.
 * The shard key is the source's: a plan that routes by a prefixed column routes by the value without prefix.
 */
export const tenant = defineTransformer(
  'tenant',
  Type.Object(
    {
      idColumns: Type.Optional(Type.Array(Type.String({ minLength: 1 }), { minItems: 1 })),
      prefix: Type.Optional(Type.String({ minLength: 1 })),
      statusColumn: Type.Optional(Type.String({ minLength: 1 })),
      statuses: Type.Optional(Type.Record(Type.String(), Type.String())),
    },
    { additionalProperties: false },
  ),
  ({ idColumns = ['tenant_id'], prefix = '', statusColumn = 'status', statuses = {} }) => {
    const translated = (row: Row, map: Readonly<Record<string, string>>) =>
      Object.keys(map).length === 0
        ? row
        : replaceValue(row, statusColumn, (value) => translate('tenant', statusColumn, map, value, 'fail'))
    const each = (row: Row, change: (value: string, column: string) => string) =>
      idColumns.reduce((now, column) => replaceValue(now, column, (value) => change(value, column)), row)
    const strip = (value: string, column: string) => {
      if (!value.startsWith(prefix))
        throw fail('CF1033', { name: 'tenant', column, reason: `it does not begin with ${prefix}` })
      return value.slice(prefix.length)
    }
    return {
      forward: (row) =>
        translated(
          each(row, (value) => prefix + value),
          statuses,
        ),
      backward: isInjective(statuses) ? (row) => translated(each(row, strip), inverse(statuses)) : null,
    }
  },
  'Tenants: a prefix before the id, status translated.',
)

// What the routes of the API have alike.
import { Type } from 'typebox'
import { MigrationIdSchema } from '../contract/migration.ts'
import { ProblemSchema } from '../contract/vocabulary.ts'

/** The path's parameters of everything about one migration. */
export const MigrationParams = Type.Object({ id: MigrationIdSchema })

/** A plan as the body of a request carries it. */
export const PlanText = Type.String({ minLength: 1, description: 'The plan as YAML or JSON.' })

/** What any route may answer instead, by status. */
export const problems = { '4xx': ProblemSchema, '5xx': ProblemSchema } as Record<string, unknown>

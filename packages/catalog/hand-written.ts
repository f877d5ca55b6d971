// Operations that people wrote for services without an API description, as the same tools.
import type { CallBody, CallParameter, HttpCall, JsonSchema, Tool } from './catalog.ts'
import { asObject, textsOf } from './json-value.ts'
import { annotationsOf } from './openapi/annotations.ts'
import { type CompiledOperation, inputSchema } from './openapi/compile.ts'
import { bracketed } from './openapi/form-members.ts'
import { argumentNames } from './openapi/names.ts'
import type { Argument } from './openapi/parameters.ts'
import type { HandWrittenOperation } from './service-config.ts'
import { withDigest } from './tool-digest.ts'

/** The operations in their order. Schemas are taken as they are: they are JSON Schema already. `bracketedForms`: of the service's configuration. */
export function compileOperations(
  operations: readonly HandWrittenOperation[],
  bracketedForms = false,
): CompiledOperation[] {
  return operations.map((operation) => {
    return { operationId: operation.name, tool: compileOperation(operation, bracketedForms) }
  })
}

function compileOperation(operation: HandWrittenOperation, bracketedForms: boolean): Tool {
  const names = argumentNames()
  const declared = declaredParameters(operation)
  const parameters = declared.map(({ name, in: place, required }): CallParameter => {
    const style = place === 'query' ? 'form' : 'simple'
    const isRequired = place === 'path' || required === true
    return {
      argument: names.take(name, place),
      name,
      in: place,
      required: isRequired,
      style,
      explode: style === 'form',
    }
  })
  const all = parameters.map((parameter, index): Argument => {
    const { schema, description } = declared[index]!
    const described = description === undefined ? schema : { ...schema, description }
    return { name: parameter.argument, schema: described, required: parameter.required }
  })
  const body = bodyOf(operation, names, bracketedForms)
  const call: HttpCall = {
    method: operation.method,
    path: operation.path,
    parameters,
    body: body.body,
  }
  const annotations = annotationsOf(call.method, operation.name)
  const readOnly = operation.readOnly ?? annotations.readOnlyHint
  return withDigest({
    name: operation.name,
    ...(operation.title === undefined ? {} : { title: operation.title }),
    description: operation.description,
    inputSchema: { ...inputSchema([...all, ...body.arguments]), ...body.definitions },
    annotations: {
      ...annotations,
      readOnlyHint: readOnly,
      destructiveHint: operation.destructive ?? (!readOnly && annotations.destructiveHint),
      idempotentHint: readOnly || annotations.idempotentHint,
    },
    call,
  })
}

type Declared = NonNullable<HandWrittenOperation['parameters']>[number]

/** Path parameters that the operation does not describe are required texts. */
function declaredParameters(operation: HandWrittenOperation): Declared[] {
  const declared = [...(operation.parameters ?? [])]
  for (const [, name] of operation.path.matchAll(/\{([^{}]+)\}/g)) {
    if (declared.some((each) => each.in === 'path' && each.name === name)) continue
    declared.unshift({ name: name!, in: 'path', required: true, schema: { type: 'string' } })
  }
  return declared
}

function bodyOf(
  operation: HandWrittenOperation,
  names: ReturnType<typeof argumentNames>,
  bracketedForms: boolean,
): { body: CallBody | null; arguments: Argument[]; definitions: JsonSchema } {
  const { body } = operation
  if (!body) return { body: null, arguments: [], definitions: {} }
  const { contentType, schema, fixed, argumentsIn } = body
  const properties = asObject(schema['properties']) ?? {}
  const required = body.required ?? textsOf(schema['required']).length > 0
  const needed = new Set(textsOf(schema['required']))
  const isJson = contentType === 'application/json'
  const definitions = asObject(schema['$defs']) ? { $defs: schema['$defs'] } : {}
  if (isJson && schema['type'] !== 'object' && schema['type'] !== undefined) {
    const argument = names.take('body', 'body')
    const { $defs: _, ...own } = schema
    return {
      body: { kind: 'whole', contentType, encoding: 'json', argument, required },
      arguments: [{ name: argument, schema: own, required }],
      definitions,
    }
  }
  const writing = !isJson && bracketedForms ? bracketed : {}
  const members = Object.keys(properties).map((name) => ({ argument: names.take(name, 'body'), name, ...writing }))
  return {
    body: {
      kind: 'members',
      contentType,
      encoding: isJson ? 'json' : 'form',
      members,
      required,
      ...(fixed === undefined ? {} : { fixed }),
      ...(argumentsIn === undefined ? {} : { argumentsIn }),
    },
    arguments: members.map(({ argument, name }) => ({
      name: argument,
      schema: asObject(properties[name]) ?? {},
      required: needed.has(name) && required,
    })),
    definitions,
  }
}

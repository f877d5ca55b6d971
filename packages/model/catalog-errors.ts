import type { ErrorDefinition } from './error-definition.ts'

/** CF10xxx the catalog, its files and what is imported into it. */
export const catalogErrors = {
  CF10001: {
    sentence: 'The file {file} is no JSON: {reason} (line {line}, column {column}).',
    remedy: 'Correct that line; until then the service is left out and the others are served.',
    retry: false,
  },
  CF10002: {
    sentence: '{pointer} in {file} (line {line}) is wrong: {reason}.',
    remedy:
      'Correct it as packages/catalog/service-config.ts describes; until then the service is left out and the others are served.',
    retry: false,
  },
  CF10003: {
    sentence: 'The folder {folder} holds the service {service}.',
    remedy: 'Give the folder the name of its service, or correct `serviceType` in its config.json.',
    retry: false,
  },
  CF10004: {
    sentence: 'The port {port} is used by {first} and by {second}.',
    remedy: 'Give one of the two another free port in 49152–65535; until then the second service is left out.',
    retry: false,
  },
  CF10005: {
    sentence: 'The service {service} is described twice: in {first} and in {second}.',
    remedy: 'Remove or rename one of the two; until then the second is left out.',
    retry: false,
  },
  CF10006: {
    sentence: 'The file {file} cannot be read: {reason}.',
    remedy: 'Create it, or let this user read it.',
    retry: false,
  },
  CF10010: {
    sentence: 'The service {service} names the tool {tool}, which its source does not have.{suggestion}',
    remedy: 'Name an operation that `node packages/catalog/check-command.ts --operations {service}` lists.',
    retry: false,
  },
  CF10011: {
    sentence: 'The service {service} must be served on port {port}, which people have stored; its config says {found}.',
    remedy: 'Set `port` to {port} in its config.json, and give another service that holds it a free one.',
    retry: false,
  },
  CF10012: {
    sentence: 'The schema of the tool {tool} of {service} does not compile: {reason}.',
    remedy:
      'Correct the schema where it was written by hand; otherwise this is a fault of the compiler in packages/catalog/openapi.',
    retry: false,
  },
  CF10013: {
    sentence: 'The service {service} has two tools that are called {tool}.',
    remedy: 'Give one of the two operations another name.',
    retry: false,
  },
  CF10014: {
    sentence: 'The base URL of {service} uses {variable}, which `variables` does not declare.',
    remedy: 'Declare it in `variables` of that config.json, or write its value into the URL.',
    retry: false,
  },
  CF10015: {
    sentence: 'The base URL {url} of {service} cannot be used: {reason}.',
    remedy: 'Write an absolute https URL without a query.',
    retry: false,
  },
  CF10016: {
    sentence: 'The base URL of {service} ends in {path}, where its API description has {expected}.',
    remedy:
      'Make the two end alike: paths of operations are put behind the base URL as they are. Leave it when the description is known to be wrong.',
    retry: false,
  },
  CF10017: {
    sentence: 'The description of {service} is copied from its API description.',
    remedy: 'Say in words of your own what people do with the service.',
    retry: false,
  },
  CF10018: {
    sentence: 'There are {found} services; {expected} are needed.',
    remedy: 'Add services below packages/catalog/services, one folder each.',
    retry: false,
  },
  CF10019: {
    sentence: 'The tool {tool} of {service} takes {argument}, which is the place of a credential.',
    remedy: 'Take that parameter out of the operation: the vault fills it in.',
    retry: false,
  },
  CF10020: {
    sentence: 'The service {service} has no tools to show.',
    remedy: 'Name a few operations in `tools` of its config.json, the most useful first.',
    retry: false,
  },
  CF10021: {
    sentence:
      'The variable {variable} of {service} has the pattern {pattern}, which is no regular expression: {reason}.',
    remedy: 'Correct `pattern` of that variable.',
    retry: false,
  },
  CF10022: {
    sentence: 'The verification of {service} cannot tell a right key from a wrong one: {reason}.',
    remedy: 'List disjoint `validStatuses` and `invalidStatuses`, or set `verification` to null.',
    retry: false,
  },
  CF10030: {
    sentence: 'The API description {file} cannot be used: {reason}.',
    remedy: 'Give an OpenAPI 2.0, 3.0 or 3.1 document in JSON or YAML.',
    retry: false,
  },
  CF10031: {
    sentence: 'The operation {operation} of {service} is left out: {reason}.',
    remedy: 'Nothing to do unless it is needed; then describe it by hand in an operations.json.',
    retry: false,
  },
  CF10040: {
    sentence: 'The compiled catalog {file} is missing.',
    remedy: 'Run `node tools/build/catalog.ts`; the set-up does so too.',
    retry: false,
  },
  CF10041: {
    sentence: 'The compiled catalog {file} cannot be read: {reason}.',
    remedy: 'Remove the file and run `node tools/build/catalog.ts`.',
    retry: false,
  },
  CF10050: {
    sentence: 'The file {file} cannot be imported: {reason}.',
    remedy: 'Give an OpenAPI document (JSON or YAML), or a server.json of the MCP registry.',
    retry: false,
  },
  CF10051: {
    sentence: 'The file {file} has {bytes} bytes; {bytesMax} are taken.',
    remedy: 'Leave out of it what the service does not need.',
    retry: false,
  },
  CF10052: {
    sentence: 'The imported service {service} needs a look: {reason}.',
    remedy: 'Edit {place} in the config.json that was written, or import again with the option that sets it.',
    retry: false,
  },
  CF10053: {
    sentence: 'The service {service} is already in {directory}.',
    remedy: 'Import it under another name, or with the option that replaces it.',
    retry: false,
  },
  CF10054: {
    sentence: 'All ports of 49152–65535 are taken.',
    remedy: 'Remove services that nobody uses.',
    retry: false,
  },
} as const satisfies Readonly<Record<string, ErrorDefinition>>

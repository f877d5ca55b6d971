/** An OpenAPI document of `operations` operations, all of them `GET /items/{id}` of some kind: what every server in the benchmarks is made from. */
export function openapiDocument(origin: string, operations: number): Record<string, unknown> {
  const paths: Record<string, unknown> = {}
  for (let n = 0; n < operations; n += 1) {
    paths[`/items${n}/{id}`] = {
      get: {
        operationId: `getItem${n}`,
        summary: `Reads an item of kind ${n}`,
        description: 'Gives name, tags, price and availability of one item.',
        parameters: [
          { name: 'id', in: 'path', required: true, schema: { type: 'string' }, description: 'Which item' },
          {
            name: 'fields',
            in: 'query',
            schema: { type: 'array', items: { type: 'string' } },
            description: 'Only these',
          },
          { name: 'limit', in: 'query', schema: { type: 'integer', minimum: 1, maximum: 100 }, description: 'At most' },
        ],
        responses: {
          200: { description: 'The item', content: { 'application/json': { schema: { type: 'object' } } } },
        },
      },
    }
  }
  return {
    openapi: '3.0.3',
    info: { title: 'Items', version: '1', description: 'Items for benchmarks.' },
    servers: [{ url: origin }],
    components: { securitySchemes: { key: { type: 'apiKey', in: 'header', name: 'x-api-key' } } },
    security: [{ key: [] }],
    paths,
  }
}

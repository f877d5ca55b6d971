import type { ToolView } from './tool-view.ts'

/** The resource that every catalog service has. */
export const serviceResourceUri = 'crossfade://service'

/** What a client may want to show or a model may want to know of the service behind an instance. Nothing of the user. */
export function describeService(view: ToolView): unknown {
  const { config, operationCount } = view.service
  return {
    serviceType: config.serviceType,
    name: config.displayName,
    category: config.category,
    description: config.description,
    documentation: config.docsUrl,
    operations: operationCount,
    tools: [...view.pages.values()].flatMap((page) =>
      page.tools.map(({ name, title, annotations }) => ({ name, title, readOnly: annotations['readOnlyHint'] })),
    ),
  }
}

export const commands = ['advance', 'retreat', 'abort', 'pause', 'resume'] as const

/** What a person may ask of a migration's place on the ladder. */
export type Command = (typeof commands)[number]

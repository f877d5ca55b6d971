// Reading a description takes the processor for up to seconds: a thread of its own does it, with bounded time and memory, while this one serves.
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import type { ImportedService, ImportOptions } from '@crossfade/catalog/imports/imported-service.ts'
import type { ErrorCode } from '@crossfade/model/error-codes.ts'
import { type Details, Failure, fail } from '@crossfade/model/failure.ts'

const readMsMax = 30_000
const readHeapMegabytesMax = 512

/** What an import is made of. */
export interface ReadWish {
  readonly text: string
  /** Named in failures. */
  readonly file: string
  readonly options: ImportOptions
}

export interface ReadImport extends Pick<ImportedService, 'config' | 'files'> {
  readonly findings: readonly (ImportedService['findings'][number] & { readonly line: number | null })[]
}

type Answer = { readonly read: ReadImport } | { readonly code: ErrorCode; readonly details: Details }

/** The service that a text describes; each finding with its line. Rejects as the importers do, and with CF10050 for what takes too much time or memory. */
export async function readApart(wish: ReadWish): Promise<ReadImport> {
  const thread = new Worker(import.meta.filename, {
    workerData: wish,
    resourceLimits: { maxOldGenerationSizeMb: readHeapMegabytesMax },
  })
  let timer: NodeJS.Timeout | undefined
  try {
    const answer = await new Promise<Answer>((resolve, reject) => {
      const refuse = (reason: string, cause?: unknown) => reject(fail('CF10050', { file: wish.file, reason }, cause))
      timer = setTimeout(() => refuse(`reading it takes longer than ${readMsMax / 1000} seconds`), readMsMax)
      thread.once('message', resolve)
      thread.once('error', (error) =>
        refuse('reading it takes too much memory, or it is nothing that can be read', error),
      )
      thread.once('exit', () => refuse('reading it came to no end'))
    })
    if ('code' in answer) throw fail(answer.code, answer.details)
    return answer.read
  } finally {
    clearTimeout(timer)
    await thread.terminate()
  }
}

async function read({ text, file, options }: ReadWish): Promise<Answer> {
  // Loaded where it is used: the importers carry the compiler.
  const [documents, openApi, serverJson, jsonFile, pointers] = await Promise.all([
    import('@crossfade/catalog/imports/read-document.ts'),
    import('@crossfade/catalog/imports/openapi.ts'),
    import('@crossfade/catalog/imports/server-json.ts'),
    import('@crossfade/catalog/json-file.ts'),
    import('@crossfade/catalog/schema-problems.ts'),
  ])
  try {
    const raw = documents.parseDocumentText(text, file)
    const importer = serverJson.isServerJson(raw) ? serverJson.importServerJson : openApi.importOpenApi
    const { config, files, findings } = importer(raw, file, options)
    const isPlaced = findings.some(({ pointer }) => pointer !== null)
    const lineAt = isPlaced ? jsonFile.lineFinder(text) : null
    return {
      read: {
        config,
        files,
        findings: findings.map((finding) => ({
          ...finding,
          line: finding.pointer === null || lineAt === null ? null : lineAt(pointers.pathOfPointer(finding.pointer)),
        })),
      },
    }
  } catch (error) {
    if (error instanceof Failure) return { code: error.code, details: error.details }
    throw error
  }
}

if (!isMainThread && parentPort !== null) parentPort.postMessage(await read(workerData as ReadWish))

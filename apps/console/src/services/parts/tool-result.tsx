import { Badge } from '../../parts/basics.tsx'
import { milliseconds } from '../../words.ts'
import type { CalledTool } from '../contract.ts'
import { parseJson } from '../tool-form.ts'
import { CopyButton } from './copy-button.tsx'

/** More than this of one text is not drawn; copying gives all of it. */
const shownCharactersMax = 100_000
/** Kinds of images that every browser draws. */
const images: ReadonlySet<unknown> = new Set(['image/png', 'image/jpeg', 'image/gif', 'image/webp', 'image/avif'])

/** What a tool gave, so that a person can read it. */
export function ToolResult({ called }: { called: CalledTool }) {
  const { result, statusCode, errorCode } = called
  const isError = result['isError'] === true
  const contents = Array.isArray(result['content']) ? (result['content'] as readonly Record<string, unknown>[]) : []
  return (
    <section className="tool-result" aria-label="Result">
      <header className="tool-result-head">
        <Badge tone={isError ? 'bad' : 'good'}>{isError ? 'the tool failed' : 'it worked'}</Badge>
        <span className="muted small">
          {statusCode > 0 && `HTTP ${statusCode} · `}
          {milliseconds(called.milliseconds)}
        </span>
        {errorCode && <code>{errorCode}</code>}
        <span className="grow" />
        <CopyButton text={() => JSON.stringify(result, null, 2)} what="result" />
      </header>
      {contents.map((content, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a result never changes its order
        <Content key={index} content={content} />
      ))}
      {contents.length === 0 && <Text text={JSON.stringify(result['structuredContent'] ?? result)} />}
    </section>
  )
}

function Content({ content }: { content: Readonly<Record<string, unknown>> }) {
  const { type, text, data, mimeType } = content
  if (type === 'text' && typeof text === 'string') return <Text text={text} />
  if (type === 'image' && typeof data === 'string' && images.has(mimeType)) {
    return <img className="tool-image" src={`data:${String(mimeType)};base64,${data}`} alt="Given by the tool" />
  }
  if ((type === 'image' || type === 'audio') && typeof data === 'string') {
    return (
      <p className="muted">
        {type} of the kind {String(mimeType)}, about {Math.round((data.length * 3) / 4 / 1_000)} KB
      </p>
    )
  }
  if (type === 'resource_link') {
    return (
      <p>
        <code className="break">{String(content['uri'])}</code>
      </p>
    )
  }
  const resource = content['resource'] as Readonly<Record<string, unknown>> | undefined
  if (typeof resource?.['text'] === 'string') return <Text text={resource['text']} />
  return <Text text={JSON.stringify(content)} />
}

function Text({ text }: { text: string }) {
  const parsed = /^\s*[[{]/.test(text) ? parseJson(text) : undefined
  const pretty = parsed === undefined ? text : JSON.stringify(parsed, null, 2)
  const hidden = pretty.length - shownCharactersMax
  return (
    <>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, so keys must reach it */}
      <pre className="tool-text" tabIndex={0}>
        {pretty.slice(0, shownCharactersMax)}
      </pre>
      {hidden > 0 && <p className="muted small">{hidden.toLocaleString('en')} more characters; copying gives all.</p>}
    </>
  )
}

import { useEffect, useRef } from 'react'
import type { ChunkView } from '../api/contract.ts'
import { bytes, count } from '../words.ts'

/** A cell with its gap is at most this wide, and shrinks until the map fits into its height. */
const pitchMax = 12
const pitchMin = 4
const heightMax = 300

interface Grid {
  readonly pitch: number
  readonly columns: number
  /** Chunks in one cell; more than one only when even the smallest cells would not fit. */
  readonly perCell: number
}

/** One small square for each chunk (or few of them), in the order of the copy, drawn on a canvas since there may be a hundred thousand. */
export function ChunkMap({ chunks }: { chunks: readonly ChunkView[] }) {
  const canvas = useRef<HTMLCanvasElement>(null)
  const tip = useRef<HTMLDivElement>(null)
  useEffect(() => {
    const element = canvas.current!
    const draw = () => paint(element, chunks)
    draw()
    const sizes = new ResizeObserver(draw)
    sizes.observe(element.parentElement!)
    const themes = new MutationObserver(draw)
    themes.observe(document.documentElement, { attributeFilter: ['data-theme'] })
    return () => {
      sizes.disconnect()
      themes.disconnect()
    }
  }, [chunks])
  const point = (x: number, y: number) => {
    const { pitch, columns, perCell } = gridOf(canvas.current!.parentElement!.clientWidth, chunks.length)
    const column = Math.floor(x / pitch)
    const first = (Math.floor(y / pitch) * columns + column) * perCell
    const pointed = x < 0 || column >= columns ? [] : chunks.slice(first, first + perCell)
    tip.current!.textContent =
      pointed.length === 0 ? ' ' : pointed.length === 1 ? oneChunk(pointed[0]!) : someChunks(pointed)
  }
  const done = chunks.filter((chunk) => chunk.state === 'done').length
  return (
    <div className="chunk-map">
      <canvas
        ref={canvas}
        role="img"
        aria-label={`${done} of ${chunks.length} chunks copied`}
        onPointerMove={(event) => point(event.nativeEvent.offsetX, event.nativeEvent.offsetY)}
        onPointerLeave={() => point(-1, -1)}
      />
      <ul className="legend">
        <li className="legend-done">copied</li>
        <li className="legend-running">being copied</li>
        <li className="legend-waiting">waiting</li>
        <li className="legend-failed">failed</li>
      </ul>
      <div ref={tip} className="chunk-tip">
        {' '}
      </div>
    </div>
  )
}

function oneChunk(chunk: ChunkView): string {
  const outcome =
    chunk.state === 'done'
      ? `copied, ${count(chunk.rows)} rows, ${bytes(chunk.bytes)}`
      : `${chunk.state}${chunk.worker ? ` by ${chunk.worker}` : ''}`
  const attempts = chunk.attempts > 1 ? `, attempt ${chunk.attempts}` : ''
  return `${chunk.source} ${chunk.leaf}, pages ${chunk.fromPage}–${chunk.toPage ?? 'end'}: ${outcome}${attempts}`
}

function someChunks(chunks: readonly ChunkView[]): string {
  const done = chunks.filter((chunk) => chunk.state === 'done').length
  return `${chunks[0]!.source} ${chunks[0]!.leaf} and on: ${done} of ${chunks.length} chunks copied`
}

/** The largest cells with which all chunks fit into the height. */
function gridOf(width: number, chunks: number): Grid {
  for (let pitch = pitchMax; pitch >= pitchMin; pitch -= 1) {
    const columns = Math.max(1, Math.floor(width / pitch))
    if (Math.ceil(chunks / columns) * pitch <= heightMax) return { pitch, columns, perCell: 1 }
  }
  const columns = Math.max(1, Math.floor(width / pitchMin))
  const cells = columns * Math.floor(heightMax / pitchMin)
  return { pitch: pitchMin, columns, perCell: Math.ceil(chunks / cells) }
}

function paint(canvas: HTMLCanvasElement, chunks: readonly ChunkView[]): void {
  const { pitch, columns, perCell } = gridOf(canvas.parentElement!.clientWidth, chunks.length)
  const cells = Math.ceil(chunks.length / perCell)
  const width = columns * pitch
  const height = Math.max(1, Math.ceil(cells / columns)) * pitch
  canvas.width = width * devicePixelRatio
  canvas.height = height * devicePixelRatio
  canvas.style.width = `${width}px`
  canvas.style.height = `${height}px`
  const context = canvas.getContext('2d')!
  context.scale(devicePixelRatio, devicePixelRatio)
  const style = getComputedStyle(document.documentElement)
  const colours = {
    done: style.getPropertyValue('--good'),
    running: style.getPropertyValue('--accent'),
    waiting: style.getPropertyValue('--line-strong'),
    failed: style.getPropertyValue('--bad'),
  }
  const size = pitch - (pitch > 6 ? 2 : 1)
  for (let cell = 0; cell < cells; cell += 1) {
    const own = chunks.slice(cell * perCell, (cell + 1) * perCell)
    context.fillStyle = colours[stateOf(own)]
    context.beginPath()
    context.roundRect((cell % columns) * pitch, Math.floor(cell / columns) * pitch, size, size, size > 6 ? 2 : 1)
    context.fill()
  }
}

/** What should be seen of several chunks in one cell: trouble first, then work, then what is left. */
function stateOf(chunks: readonly ChunkView[]): ChunkView['state'] {
  return (
    (['failed', 'running', 'waiting'] as const).find((state) => chunks.some((chunk) => chunk.state === state)) ?? 'done'
  )
}

import { useEffect, useRef } from 'react'
import type { ChunkView } from '../api/contract.ts'
import { bytes, count } from '../words.ts'

const cell = 10
const space = 2

/** One small square for each chunk, in the order of the copy, drawn on a canvas since there may be a hundred thousand. */
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
    const columns = columnsOf(canvas.current!)
    const chunk = chunks[Math.floor(y / (cell + space)) * columns + Math.floor(x / (cell + space))]
    tip.current!.textContent = chunk
      ? `${chunk.source} ${chunk.leaf}, pages ${chunk.fromPage}–${chunk.toPage ?? 'end'}: ${chunk.state}${chunk.state === 'done' ? `, ${count(chunk.rows)} rows, ${bytes(chunk.bytes)}` : chunk.worker ? ` by ${chunk.worker}` : ''}${chunk.attempts > 1 ? `, attempt ${chunk.attempts}` : ''}`
      : ' '
  }
  return (
    <div className="chunk-map">
      <canvas
        ref={canvas}
        role="img"
        aria-label={`${chunks.filter((chunk) => chunk.state === 'done').length} of ${chunks.length} chunks copied`}
        onPointerMove={(event) => point(event.nativeEvent.offsetX, event.nativeEvent.offsetY)}
        onPointerLeave={() => point(-1, -1)}
      />
      <div ref={tip} className="chunk-tip">
        {' '}
      </div>
      <ul className="legend">
        <li className="legend-done">copied</li>
        <li className="legend-running">being copied</li>
        <li className="legend-waiting">waiting</li>
        <li className="legend-failed">failed</li>
      </ul>
    </div>
  )
}

function columnsOf(canvas: HTMLCanvasElement): number {
  return Math.max(1, Math.floor((canvas.parentElement!.clientWidth + space) / (cell + space)))
}

function paint(canvas: HTMLCanvasElement, chunks: readonly ChunkView[]): void {
  const columns = columnsOf(canvas)
  const rows = Math.max(1, Math.ceil(chunks.length / columns))
  const scale = devicePixelRatio
  const width = columns * (cell + space)
  const height = rows * (cell + space)
  canvas.width = width * scale
  canvas.height = height * scale
  canvas.style.width = `${width}px`
  canvas.style.height = `${height}px`
  const context = canvas.getContext('2d')!
  context.scale(scale, scale)
  const style = getComputedStyle(document.documentElement)
  const colours = {
    done: style.getPropertyValue('--good'),
    running: style.getPropertyValue('--accent'),
    waiting: style.getPropertyValue('--line-strong'),
    failed: style.getPropertyValue('--bad'),
  }
  for (const [index, chunk] of chunks.entries()) {
    context.fillStyle = colours[chunk.state]
    context.beginPath()
    context.roundRect((index % columns) * (cell + space), Math.floor(index / columns) * (cell + space), cell, cell, 2)
    context.fill()
  }
}

import { useEffect, useRef } from 'react'
import uPlot from 'uplot'
import { call } from '../api/client.ts'
import type { SampleSeries } from '../api/contract.ts'
import 'uplot/dist/uPlot.min.css'

export interface PlotLine {
  readonly series: string
  readonly label: string
}

const refreshMs = 1_000
const windowMs = 10 * 60_000
const lineColours = ['--accent', '--source', '--warn', '--good', '--bad', '--idle', '--text-2', '--text-3'] as const

/**
 * A plot of the last ten minutes that keeps itself current. The figures go from the API to the canvas and never through React's state,
 * so a page with many plots costs no rendering.
 */
export function Plot({
  migration,
  title,
  lines,
  format,
}: {
  migration: string
  title: string
  lines: readonly PlotLine[]
  format: (value: number | null) => string
}) {
  const place = useRef<HTMLDivElement>(null)
  const names = lines.map((line) => line.series).join(',')
  // biome-ignore lint/correctness/useExhaustiveDependencies: the plot is rebuilt when its series change, not when the caller renders
  useEffect(() => {
    const element = place.current!
    const stopped = new AbortController()
    let plot: uPlot | undefined
    const build = () => {
      plot?.destroy()
      plot = new uPlot(optionsOf(element, lines, format), [[]], element)
      element.querySelector('.u-legend')?.setAttribute('aria-hidden', 'true')
    }
    const refresh = async () => {
      const since = Date.now() - windowMs
      const samples = await call<Record<string, SampleSeries>>(
        `/migrations/${migration}/samples?since=${since}&points=400&names=${encodeURIComponent(names)}`,
        { signal: stopped.signal },
      )
      plot?.setData(align(lines.map((line) => samples[line.series])))
    }
    build()
    let timer: ReturnType<typeof setTimeout>
    const loop = () =>
      refresh()
        .catch(() => {})
        .finally(() => {
          if (!stopped.signal.aborted) timer = setTimeout(loop, document.hidden ? refreshMs * 10 : refreshMs)
        })
    void loop()
    const sizes = new ResizeObserver(() => plot?.setSize({ width: element.clientWidth, height: plotHeight }))
    sizes.observe(element)
    const themes = new MutationObserver(build)
    themes.observe(document.documentElement, { attributeFilter: ['data-theme'] })
    return () => {
      stopped.abort()
      clearTimeout(timer)
      sizes.disconnect()
      themes.disconnect()
      plot?.destroy()
    }
  }, [migration, names])
  return (
    <figure className="plot">
      <figcaption>{title}</figcaption>
      <div ref={place} role="img" aria-label={`${title}, the last ten minutes`} />
    </figure>
  )
}

const plotHeight = 170

function optionsOf(
  element: HTMLElement,
  lines: readonly PlotLine[],
  format: (value: number | null) => string,
): uPlot.Options {
  const style = getComputedStyle(document.documentElement)
  const colour = (name: string) => style.getPropertyValue(name).trim()
  const axis = {
    stroke: colour('--text-3'),
    grid: { stroke: colour('--line'), width: 1 },
    ticks: { show: false },
    font: '11px system-ui',
  }
  return {
    width: element.clientWidth,
    height: plotHeight,
    cursor: { drag: { x: false, y: false }, points: { size: 6 } },
    legend: { live: true },
    scales: { y: { range: (_plot, _min, max) => [0, max > 0 ? max * 1.1 : 1] } },
    axes: [
      {
        ...axis,
        space: 70,
        values: (_plot, ticks) => ticks.map((tick) => new Date(tick * 1000).toTimeString().slice(0, 8)),
      },
      { ...axis, size: 64, space: 34, values: (_plot, ticks) => ticks.map((tick) => format(tick)) },
    ],
    series: [
      {
        label: 'time',
        value: (_plot, value) => (value === null ? '–' : new Date(value * 1000).toTimeString().slice(0, 8)),
      },
      ...lines.map((line, index) => ({
        label: line.label,
        stroke: colour(lineColours[index % lineColours.length]!),
        width: 1.6,
        points: { show: false },
        spanGaps: true,
        value: (_plot: uPlot, value: number | null) => format(value),
      })),
    ],
  }
}

/** Brings series with times of their own onto one time axis. */
function align(series: readonly (SampleSeries | undefined)[]): uPlot.AlignedData {
  const tables = series.map(
    (one) => [(one?.at ?? []).map((at) => at / 1000), one?.values ?? []] as unknown as uPlot.AlignedData,
  )
  return uPlot.join(tables)
}

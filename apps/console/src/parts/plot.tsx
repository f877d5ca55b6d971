import { useEffect, useRef } from 'react'
import uPlot from 'uplot'
import { call } from '../api/client.ts'
import type { SampleSeries } from '../api/contract.ts'
import 'uplot/dist/uPlot.min.css'

export interface PlotLine {
  readonly series: string
  readonly label: string
}

type Format = (value: number | null) => string

const refreshMs = 1_000
const windowMs = 10 * 60_000
const pointsMax = 400
const plotHeight = 180
/** Of more lines than this only the highest, the middle and the lowest value at each moment are drawn. */
const linesMax = 8
/** Values of one such stretch of time count as one moment's. */
const stretchMs = 5_000
const lineColours = [
  '--accent',
  '--source',
  '--warn',
  '--good',
  '--bad',
  '--text-2',
  '--text-3',
  '--line-strong',
] as const

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
  format: Format
}) {
  const place = useRef<HTMLDivElement>(null)
  const names = lines.map((line) => line.series).join(',')
  // biome-ignore lint/correctness/useExhaustiveDependencies: the plot is rebuilt when its series change, not when the caller renders
  useEffect(() => {
    const element = place.current!
    const stopped = new AbortController()
    const summed = lines.length > linesMax
    const labels = summed ? ['highest', 'middle', 'lowest'] : lines.map((line) => line.label)
    let data: uPlot.AlignedData = [[], ...labels.map(() => [])]
    let plot: uPlot | undefined
    const build = () => {
      plot?.destroy()
      plot = new uPlot(optionsOf(element, labels, format), data, element)
      element.querySelector('.u-legend')?.setAttribute('aria-hidden', 'true')
    }
    const refresh = async () => {
      const samples = await call<Record<string, SampleSeries>>(
        `/migrations/${migration}/samples?since=${Date.now() - windowMs}&points=${pointsMax}&names=${encodeURIComponent(names)}`,
        { signal: stopped.signal },
      )
      const series = lines.map((line) => samples[line.series])
      data = summed ? spread(series) : align(series)
      plot?.setData(data)
      element.classList.toggle('plot-empty', data[0].length === 0)
      if (plot) showLatest(plot)
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
      <figcaption>
        {title}
        {lines.length > linesMax && <span className="muted"> of {lines.length}</span>}
      </figcaption>
      <div ref={place} className="plot-place" role="img" aria-label={`${title}, the last ten minutes`} />
    </figure>
  )
}

function optionsOf(element: HTMLElement, labels: readonly string[], format: Format): uPlot.Options {
  const style = getComputedStyle(document.documentElement)
  const colour = (name: string) => style.getPropertyValue(name).trim()
  const axis = {
    stroke: colour('--text-3'),
    grid: { stroke: colour('--line'), width: 1 },
    ticks: { show: false },
    font: '11px system-ui',
  }
  const time = (seconds: number) => new Date(seconds * 1_000).toTimeString().slice(0, 8)
  return {
    width: element.clientWidth,
    height: plotHeight,
    padding: [8, 12, 0, 0],
    cursor: { drag: { x: false, y: false }, points: { size: 6 } },
    legend: { live: true },
    scales: { y: { range: (_plot, _min, max) => [0, max > 0 ? max * 1.1 : 1] } },
    axes: [
      { ...axis, size: 28, space: 70, values: (_plot, ticks) => ticks.map(time) },
      { ...axis, size: 68, space: 34, values: (_plot, ticks) => ticks.map((tick) => format(tick)) },
    ],
    series: [
      { label: 'at', value: (_plot, value) => (value === null ? '–' : time(value)) },
      ...labels.map((label, index) => ({
        label,
        stroke: colour(lineColours[index % lineColours.length]!),
        width: 1.6,
        points: { show: false },
        spanGaps: true,
        value: (_plot: uPlot, value: number | null) => format(value ?? null),
      })),
    ],
    hooks: { setCursor: [showLatest] },
  }
}

/** While nobody points at the plot its legend tells the latest figures. */
function showLatest(plot: uPlot): void {
  const last = plot.data[0].length - 1
  if ((plot.cursor.idx ?? null) === null && last >= 0) plot.setLegend({ idx: last })
}

/** Brings series with times of their own onto one time axis. */
function align(series: readonly (SampleSeries | undefined)[]): uPlot.AlignedData {
  const tables = series.map(
    (one) => [(one?.at ?? []).map((at) => at / 1_000), one?.values ?? []] as unknown as uPlot.AlignedData,
  )
  return uPlot.join(tables)
}

/** The highest, the middle and the lowest value of all series in each stretch of time; they are not looked at in the same instant. */
function spread(series: readonly (SampleSeries | undefined)[]): uPlot.AlignedData {
  const stretches = new Map<number, number[]>()
  for (const { at, values } of series.filter((one) => one !== undefined)) {
    for (const [index, moment] of at.entries()) {
      const stretch = Math.floor(moment / stretchMs) * stretchMs
      const own = stretches.get(stretch)
      if (own) own.push(values[index]!)
      else stretches.set(stretch, [values[index]!])
    }
  }
  const sorted = [...stretches].sort(([one], [other]) => one - other)
  for (const [, values] of sorted) values.sort((one, other) => one - other)
  return [
    sorted.map(([at]) => at / 1_000),
    sorted.map(([, values]) => values.at(-1)!),
    sorted.map(([, values]) => values[values.length >> 1]!),
    sorted.map(([, values]) => values[0]!),
  ]
}

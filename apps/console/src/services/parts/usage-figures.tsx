import { useMemo } from 'react'
import { Figure } from '../../parts/basics.tsx'
import { count, milliseconds, percent } from '../../words.ts'
import type { Usage } from '../contract.ts'
import { percentileOver, periodsOf, requestsOver } from '../usage-series.ts'
import { DayPlot } from './day-plot.tsx'

/** Of more services than this the plot of times shows the most used. */
const linesMax = 5

/** Totals, and two plots: how much, and how fast. Of one service the plot has three percentiles, of several the 95th of each. */
export function UsageFigures({ usage, serviceType }: { usage: Usage; serviceType: string | null }) {
  const { totals, series, by } = usage
  const plots = useMemo(() => {
    const at = periodsOf(usage)
    const { requests, errors } = requestsOver(at, series)
    const times = serviceType
      ? (['p50Ms', 'p95Ms', 'p99Ms'] as const).map((which) => ({
          label: which.slice(0, 3),
          values: percentileOver(at, series, serviceType, which),
        }))
      : usage.services.slice(0, linesMax).map((service) => ({
          label: service.displayName,
          values: percentileOver(at, series, service.serviceType, 'p95Ms'),
        }))
    const amounts = [
      { label: 'requests', values: requests, colour: '--accent' },
      { label: 'failed', values: errors, colour: '--bad' },
    ]
    return { at, amounts, times }
  }, [usage, series, serviceType])
  const plotted = new Set(series.map((point) => point.serviceType)).size
  const partly = plotted < usage.services.length ? `, the ${plotted} most used services` : ''
  return (
    <>
      <div className="figures figures-usage">
        <Figure label="Requests" value={count(totals.requests)} />
        <Figure
          label="Failed"
          value={count(totals.errors)}
          hint={totals.requests > 0 ? percent(totals.errors / totals.requests) : undefined}
          {...(totals.errors > 0 && { tone: 'bad' as const })}
        />
        <Figure label="p50" value={milliseconds(totals.p50Ms)} hint="half are faster" />
        <Figure label="p95" value={milliseconds(totals.p95Ms)} />
        <Figure label="p99" value={milliseconds(totals.p99Ms)} />
      </div>
      <div className="columns">
        <DayPlot
          title={`Requests per ${by}${partly}`}
          at={plots.at}
          lines={plots.amounts}
          kind="bars"
          by={by}
          format={count}
        />
        <DayPlot
          title={serviceType ? `Time per ${by}: p50, p95, p99` : `Time per ${by}: p95 by service`}
          at={plots.at}
          lines={plots.times}
          kind="lines"
          by={by}
          format={milliseconds}
        />
      </div>
    </>
  )
}

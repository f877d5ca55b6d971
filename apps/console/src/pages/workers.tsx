import type { WorkerView } from '../api/contract.ts'
import { Badge, Card, Empty, Loading, Trouble } from '../parts/basics.tsx'
import { useData } from '../state/use-data.ts'
import { useTick } from '../state/use-tick.ts'
import { useTitle } from '../state/use-title.ts'
import { ago, bytes } from '../words.ts'

/** Processes that take work, and what each is doing. */
export function WorkersPage() {
  useTitle('Workers')
  const now = useTick(2_000)
  const { data, error } = useData<readonly WorkerView[]>('/workers', now)
  return (
    <>
      <header className="page-head">
        <div>
          <h1>Workers</h1>
          <p className="muted">Processes that take work; any number, on any machine with the control database.</p>
        </div>
      </header>
      {error !== null && <Trouble error={error} />}
      {!data && error === null && <Loading what="workers" />}
      {data?.length === 0 && (
        <Empty title="No worker has ever reported">
          <p>Start one wherever the databases can be reached:</p>
          <pre>npx crossfade server --roles worker</pre>
        </Empty>
      )}
      {data && data.length > 0 && (
        <Card flush>
          <div className="scroll-x">
            <table className="list">
              <thead>
                <tr>
                  <th>worker</th>
                  <th>state</th>
                  <th className="number">memory</th>
                  <th>seen</th>
                  <th>since</th>
                  <th>doing</th>
                </tr>
              </thead>
              <tbody>
                {data
                  .toSorted(
                    (one, other) => Number(other.alive) - Number(one.alive) || other.seenAt.localeCompare(one.seenAt),
                  )
                  .map((worker) => (
                    <tr key={worker.id}>
                      <td>
                        <code>{worker.id}</code>
                      </td>
                      <td>
                        <Badge tone={worker.alive ? 'good' : 'idle'}>{worker.alive ? 'alive' : 'gone'}</Badge>
                      </td>
                      <td className="number">{bytes(worker.memoryBytes)}</td>
                      <td>{ago(worker.seenAt, now)}</td>
                      <td>{ago(worker.startedAt, now)}</td>
                      <td>
                        {worker.tasks.length === 0 ? (
                          <span className="muted">nothing just now</span>
                        ) : (
                          <Tasks names={worker.tasks} />
                        )}
                      </td>
                    </tr>
                  ))}
              </tbody>
            </table>
          </div>
        </Card>
      )}
    </>
  )
}

const tasksShownMax = 4

function Tasks({ names }: { names: readonly string[] }) {
  return (
    <span title={names.join(', ')}>
      {names.slice(0, tasksShownMax).join(', ')}
      {names.length > tasksShownMax && <span className="muted"> and {names.length - tasksShownMax} more</span>}
    </span>
  )
}

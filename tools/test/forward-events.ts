import type { TestEvent } from 'node:test/reporters'

/** A reporter of node's test runner that hands every event to the parent process, errors and all. */
export default async function* forwardEvents(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  // Awaited, so that the process does not end before the last event is out.
  for await (const event of source) await new Promise((sent) => process.send!(event, sent))
  yield ''
}

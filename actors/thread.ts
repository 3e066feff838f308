/**
 * The entry of every worker thread: pins it, builds the actor its spec names, shows the actor's
 * control interface to the supervisor and says ready. A failure is told in full before the thread
 * dies of it, because an error's exit code does not survive the worker's own 'error' event.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { expose, wrap } from 'comlink';
import { systemClock } from '#src/base/clock';
import { UserError } from '#src/base/errors';
import { nodeDisk } from '#src/base/node-disk';
import { systemTimers } from '#src/base/timers';
import { giveWay, nameThread, pinThread } from '#src/runtime/affinity';
import type { StartedActor } from '#src/runtime/control';
import { controlEndpoint } from '#src/runtime/control-endpoint';
import { runActor } from '#src/runtime/host';
import type { Machine, MachineWithNetwork, MachineWithState } from '#src/runtime/machine';
import type { SupervisorLine } from '#src/runtime/supervisor-line';
import type { ThreadSpec } from '#src/runtime/thread-spec';

const spec = workerData.spec as ThreadSpec;
const line = wrap<SupervisorLine>(controlEndpoint(workerData.line));

const machine: Machine = {
  clock: systemClock(),
  timers: systemTimers,
  disk: nodeDisk(),
  run: runActor,
};

const withState = async (): Promise<MachineWithState> => ({
  ...machine,
  databases: (await import('#src/state/open-environment')).lmdbDatabases,
});

const withNetwork = async (): Promise<MachineWithNetwork> => ({
  ...machine,
  network: (await import('#src/feed/node-ports')).nodeNetwork,
});

async function start(): Promise<StartedActor> {
  switch (spec.role) {
    case 'validation':
      return (await import('./validation-thread.js')).start(spec, line, machine);
    case 'gold':
      return (await import('./gold-thread.js')).start(spec, line, machine);
    case 'candles':
      return (await import('./candles-thread.js')).start(spec, line, await withState());
    case 'ingest':
      return (await import('./ingest-thread.js')).start(spec, line, await withNetwork());
    case 'gateway':
      return (await import('./gateway-thread.js')).start(spec, line, await withState());
  }
}

async function die(error: unknown): Promise<never> {
  const { message, stack } = error instanceof Error ? error : new Error(String(error));
  const exitCode = error instanceof UserError ? error.exitCode : undefined;
  await line.failed({ message, stack: stack ?? '', exitCode });
  process.exit(1); // of this thread only
}

process.on('uncaughtException', (error) => void die(error));
process.on('unhandledRejection', (error) => void die(error));

nameThread(spec.id);
pinThread(spec.cores);
const { control, run } = await start();
if (parentPort === null) throw new Error('actors/thread.js runs as a worker thread only');
expose(control, controlEndpoint(parentPort));
parentPort.postMessage('loaded'); // the first message: see src/base/loading-threads.ts
if (spec.role === 'gateway') giveWay(); // not before: a start waits for it
await line.ready();
await run;
process.exit(0); // of this thread only: its ports would keep it alive

/**
 * A supervisor tree in the test's own process, wired as src/supervisor.ts does it, with threads that
 * can be made to fail.
 */

import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { BroadcastChannel } from 'node:worker_threads';
import { EXCHANGES, exchangeKey } from '#schemas/exchange';
import { THIS_MACHINE_ONLY } from '#src/api/access';
import type { SystemStatus } from '#src/api/health';
import { systemClock } from '#src/base/clock';
import { newSecret } from '#src/base/secret';
import { systemTimers } from '#src/base/timers';
import { loadInstruments } from '#src/config/instruments';
import { loadConfig } from '#src/config/load';
import { coresAllowed } from '#src/runtime/affinity';
import { openDataDirectory } from '#src/supervision/data-directory';
import { planLayout } from '#src/supervision/layout';
import { SupervisorTree } from '#src/supervision/supervisor-tree';
import { threadWorkers } from '#src/supervision/workers';
import { until } from '#tests/support/process/bullion-process';
import { type ArmedFault, CHANNEL } from '#tests/support/process/faulty-thread';
import type { World } from '#tests/support/process/simulated-world';

export type ActorStatus = SystemStatus['actors'][number];

export interface LoggedLine {
  readonly level: string;
  readonly message: string;
  readonly fields: Record<string, unknown>;
}

export interface RunningTree {
  readonly tree: SupervisorTree;
  /** Where the gateway listens. */
  readonly port: number;
  readonly log: readonly LoggedLine[];
  /** What the tree gave up with. */
  readonly gaveUp: readonly { readonly exitCode: number; readonly reason: string }[];
  /** Makes a running thread fail at its next beat. */
  arm(fault: ArmedFault): void;
  actor(id: string): Promise<ActorStatus>;
  /** Ends everything in order, once. */
  stop(): Promise<void>;
}

export async function startTree(
  t: TestContext,
  { cwd, env }: Pick<World, 'cwd' | 'env'>,
  overrides: Readonly<Record<string, string>> = {},
): Promise<RunningTree> {
  const config = loadConfig({ cwd, env: { ...env, ...overrides } });
  const instruments = loadInstruments({ cwd });
  const clock = systemClock();
  const data = await openDataDirectory({
    config,
    instruments,
    clock,
    binanceStream: config.exchanges.binance.channel,
    purpose: 'a test',
  });
  const { validation_shards: validationShards, gold_shards: goldShards } = config.layout;
  const exchanges = EXCHANGES.map(exchangeKey);
  const log: LoggedLine[] = [];
  const gaveUp: { exitCode: number; reason: string }[] = [];
  const tree = new SupervisorTree({
    gateway: { access: THIS_MACHINE_ONLY, cursorSecret: newSecret() },
    config,
    data,
    exchanges: EXCHANGES,
    layout: planLayout({ exchanges, validationShards, goldShards }, coresAllowed()),
    clock,
    runName: `t${clock.nowUs().toString(36)}`,
    timers: systemTimers,
    workers: threadWorkers(
      new URL('.', import.meta.resolve('#actors/lake-worker')),
      new URL('./faulty-thread.js', import.meta.url),
    ),
    log: (level, message, fields = {}) => void log.push({ level, message, fields }),
    giveUp: (exitCode, reason) => void gaveUp.push({ exitCode, reason }),
  });
  const channel = new BroadcastChannel(CHANNEL);
  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    stopped ??= tree.stop().then(async () => {
      channel.close();
      await data.close();
    });
    return stopped;
  };
  t.after(stop);
  const started = await tree.start();
  assert.ok(started, 'stopped while starting');
  return {
    tree,
    port: started.port,
    log,
    gaveUp,
    arm: (fault) => channel.postMessage(fault),
    async actor(id) {
      const { actors } = await tree.status();
      const found = actors.find(({ actor }) => actor === id);
      assert.ok(found, `no actor ${id}`);
      return found;
    },
    stop,
  };
}

export function everyActorRuns({ tree }: RunningTree): Promise<boolean> {
  return until('every actor to run', async () =>
    (await tree.status()).actors.every(({ state }) => state === 'running'),
  );
}

/** Resolves when every actor runs, every exchange is connected and gold goes on growing. */
export async function settled({ tree, log }: RunningTree, timeoutMs = 20_000): Promise<void> {
  let before = -1;
  let facts: SystemStatus | undefined;
  await until(
    'the tree to be whole again',
    async () => {
      facts = await tree.status();
      const { actors, exchanges } = facts;
      const gold = actors
        .filter(({ actor }) => actor.startsWith('gold'))
        .reduce((sum, { counters }) => sum + (counters.trades ?? 0), 0);
      const isWhole =
        actors.every(({ state }) => state === 'running') &&
        exchanges.every(({ state }) => state === 'connected');
      const isGrowing = isWhole && before >= 0 && gold > before;
      before = isWhole ? gold : -1;
      return isGrowing;
    },
    timeoutMs,
  ).catch((error: Error) => {
    const lines = log.slice(-20).map((line) => JSON.stringify(line));
    throw new Error([error.message, JSON.stringify(facts), ...lines].join('\n'));
  });
}

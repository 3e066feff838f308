#!/usr/bin/env node
/**
 * Bullion's process: `node dist/supervisor.js [--config FILE] [--print-layout]`.
 *
 * Checks the configuration before anything is touched, takes the data directory, starts the tree and
 * turns signals into an orderly end: the first SIGTERM or SIGINT drains, commits a last epoch and
 * ends with 0 within ten seconds; the second ends at once, which is as safe as kill -9 is.
 */
import { parseArgs } from 'node:util';
import { EXCHANGES, exchangeKey } from '#schemas/exchange';
import { systemClock } from '#src/base/clock';
import { diskFailure, EXIT, type ExitCode, UserError } from '#src/base/errors';
import { threadsLoaded } from '#src/base/loading-threads';
import { systemTimers } from '#src/base/timers';
import { loadInstruments } from '#src/config/instruments';
import { loadConfig } from '#src/config/load';
import { loadTokens, requireToken, TOKEN_VARIABLES } from '#src/config/tokens';
import { coresAllowed } from '#src/runtime/affinity';
import { settleEngine } from '#src/runtime/engine';
import { cursorSecret } from '#src/supervision/cursor-secret';
import { openDataDirectory } from '#src/supervision/data-directory';
import { planLayout, printLayout } from '#src/supervision/layout';
import { openLog } from '#src/supervision/process-log';
import { SupervisorTree } from '#src/supervision/supervisor-tree';
import { threadWorkers } from '#src/supervision/workers';

/** An orderly end that takes longer is cut short: everything durable stays so. */
const STOP_MS_MAX = 9_500;

const USAGE = 'node dist/supervisor.js [--config FILE] [--print-layout]';

async function main(): Promise<void> {
  const args = readArguments();
  if (args.help) {
    process.stdout.write(`the server\nusage: ${USAGE}\n`);
    return;
  }
  const cwd = process.cwd();
  const config = loadConfig({
    env: process.env,
    cwd,
    ...(args.config !== undefined && { configPath: args.config }),
  });
  const { allow_remote, token_file, hosts, origins } = config.http;
  const tokens = loadTokens({ env: process.env, cwd, file: token_file });
  requireToken(allow_remote, tokens);
  // No thread, child process or crash report gets to see one.
  for (const variable of Object.values(TOKEN_VARIABLES)) delete process.env[variable];
  const instruments = loadInstruments({ cwd });
  const clock = systemClock();
  const exchanges = EXCHANGES.filter((exchange) => config.exchanges[exchangeKey(exchange)].enabled);
  const layout = planLayout(
    {
      exchanges: exchanges.map(exchangeKey),
      validationShards: config.layout.validation_shards,
      goldShards: config.layout.gold_shards,
    },
    config.layout.cores === 'auto' ? coresAllowed() : config.layout.cores,
  );
  if (args.printLayout) {
    process.stdout.write(printLayout(layout));
    return;
  }

  const log = openLog(config.log.level);
  const opening = openDataDirectory({
    config,
    instruments,
    clock,
    binanceStream: exchanges.includes('BINANCE') ? config.exchanges.binance.channel : undefined,
    purpose: 'the server',
  });
  let tree: SupervisorTree | undefined;
  let stopping = false;
  const stop = async (signal: string): Promise<void> => {
    if (stopping) process.exit(128 + 15);
    stopping = true;
    log('info', 'stopping', { signal });
    setTimeout(() => {
      log('warn', `the orderly end took longer than ${STOP_MS_MAX / 1000} s and was cut short`);
      process.exit(EXIT.ok);
    }, STOP_MS_MAX).unref();
    // What is half open comes to its end first; when it cannot, `main` says why.
    const opened = await opening.catch(() => undefined);
    if (opened === undefined) return;
    await tree?.stop();
    await opened.close();
    log('info', 'stopped');
    process.exit(EXIT.ok);
  };
  process.on('SIGTERM', (signal) => void stop(signal));
  process.on('SIGINT', (signal) => void stop(signal));

  const data = await opening;
  if (stopping) return; // a signal came first
  tree = new SupervisorTree({
    config,
    data,
    exchanges,
    layout,
    clock,
    runName: `r${clock.nowUs().toString(36)}`,
    timers: systemTimers,
    workers: threadWorkers(new URL('./actors/', import.meta.url)),
    log,
    gateway: {
      access: { tokens, hosts, origins },
      cursorSecret: cursorSecret(data.disk, data.dir),
    },
    giveUp: (exitCode, reason) => {
      process.stderr.write(`bullion: ${reason}\n`);
      end(exitCode);
    },
  });
  data.stateChecked.catch(die);

  const up = await tree.start();
  if (up === undefined) return; // a signal came first
  settleEngine();
  log('info', 'ready', {
    url: `http://${config.http.host}:${up.port}`,
    dataDir: data.dir,
    exchanges: exchanges.map(exchangeKey),
    instruments: instruments.length,
  });
}

function readArguments(): { config: string | undefined; printLayout: boolean; help: boolean } {
  try {
    const { values } = parseArgs({
      options: {
        config: { type: 'string' },
        'print-layout': { type: 'boolean' },
        help: { type: 'boolean' },
      },
    });
    return {
      config: values.config,
      printLayout: values['print-layout'] ?? false,
      help: values.help ?? false,
    };
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    throw new UserError(EXIT.usage, `${said.split(/\. |\n/, 1)[0]}; usage: ${USAGE}`);
  }
}

/** Whatever nobody has caught ends the process in one way, wherever it comes from. */
function die(error: unknown): void {
  const told = diskFailure(error) ?? error;
  if (told instanceof UserError) {
    process.stderr.write(`bullion: ${told.message}\n`);
    end(told.exitCode);
  } else {
    process.stderr.write(`bullion: ${error instanceof Error ? error.stack : String(error)}\n`);
    end(EXIT.internal);
  }
}

/** Durable state is complete at every instant: there is nothing to tidy up. */
function end(exitCode: ExitCode): void {
  void threadsLoaded().then(() => process.exit(exitCode));
}

process.on('uncaughtException', die);
main().catch(die);

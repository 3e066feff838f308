#!/usr/bin/env node
/**
 * `bullion`: the command line. Every command is a file in src/commands; this one finds it, runs it
 * and turns a user's mistake into one sentence and its exit code.
 */
import { EXIT, type ExitCode, UserError } from '#src/base/errors';
import { threadsLoaded } from '#src/base/loading-threads';
import type { Command } from '#src/commands/command';
import { print, printed } from '#src/output/standard-output';

const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  import: async () => (await import('./commands/import.js')).importCommand,
  candles: async () => (await import('./commands/candles.js')).candlesCommand,
  trades: async () => (await import('./commands/trades.js')).tradesCommand,
  sql: async () => (await import('./commands/sql.js')).sqlCommand,
  snapshots: async () => (await import('./commands/snapshots.js')).snapshotsCommand,
  gaps: async () => (await import('./commands/gaps.js')).gapsCommand,
  dlq: async () => (await import('./commands/dlq.js')).dlqCommand,
  jobs: async () => (await import('./commands/jobs.js')).jobsCommand,
  rebuild: async () => (await import('./commands/rebuild.js')).rebuildCommand,
};

async function help(): Promise<string> {
  const lines: string[] = [];
  for (const [name, load] of Object.entries(COMMANDS)) {
    lines.push(`  ${name.padEnd(9)} ${(await load()).summary}`);
  }
  return `bullion: a crypto market-data lakehouse in one process

usage: bullion COMMAND [OPTIONS]

${lines.join('\n')}

The server itself is \`node dist/supervisor.js\`. Every command takes --data-dir DIR or
--config FILE; bullion COMMAND --help shows the rest.
`;
}

async function main(argv: readonly string[]): Promise<void> {
  const [name, ...rest] = argv;
  if (name === undefined || name === 'help' || name === '--help') {
    await print(await help());
    return;
  }
  const load = COMMANDS[name];
  if (load === undefined) {
    const known = Object.keys(COMMANDS).join(', ');
    throw new UserError(EXIT.usage, `${name} is not a command; the commands are ${known}`);
  }
  await (await load()).run(rest);
}

// A reader that has seen enough (`bullion trades | head`) is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? EXIT.ok : EXIT.io);
});

/** Says what went wrong; answers with the exit code. */
function explain(error: unknown): ExitCode {
  if (error instanceof UserError) {
    process.stderr.write(`bullion: ${error.message}\n`);
    return error.exitCode;
  }
  process.stderr.write(`bullion: ${error instanceof Error ? error.stack : String(error)}\n`);
  return EXIT.internal;
}

const exitCode = await main(process.argv.slice(2)).then(() => EXIT.ok, explain);
await printed();
await threadsLoaded();
process.exit(exitCode);

/**
 * A progress bar on standard error, for people: none when standard error is not a terminal.
 */
import { Presets, SingleBar } from 'cli-progress';

export interface Progress {
  /** Starts a phase of `total` units, replacing the one before. */
  phase(name: string, total: number): void;
  at(done: number): void;
  end(): void;
}

export function progressBar(): Progress {
  if (!process.stderr.isTTY) return { phase: () => {}, at: () => {}, end: () => {} };
  let bar: SingleBar | undefined;
  return {
    phase(name, total) {
      bar?.stop();
      bar = new SingleBar(
        { stream: process.stderr, format: `${name} {bar} {percentage} % | {eta_formatted} left` },
        Presets.shades_classic,
      );
      bar.start(Math.max(1, total), 0);
    },
    at: (done) => bar?.update(done),
    end: () => bar?.stop(),
  };
}

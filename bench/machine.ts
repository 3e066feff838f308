/** The machine the figures were taken on, and how busy others kept it. */
import { readFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { coresAllowed } from '#src/runtime/affinity';

export interface MachineFacts {
  readonly processor: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly system: string;
  readonly node: string;
  /** Runnable threads over the last minute, before the run. Near 0: a quiet machine. */
  readonly load: number;
}

export function machineFacts(): MachineFacts {
  return {
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    cores: coresAllowed().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${distribution()}, kernel ${release()}`,
    node: process.version,
    load: loadavg()[0] as number,
  };
}

export function describeMachine(facts: MachineFacts): string {
  const { processor, cores, memoryGiB, system, node, load } = facts;
  return `${processor}, ${cores} cores, ${memoryGiB} GiB, ${system}, Node ${node}, load ${load.toFixed(1)}`;
}

function distribution(): string {
  try {
    return (
      /^PRETTY_NAME="?([^"\n]+)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'Linux'
    );
  } catch {
    return process.platform; // not a Linux
  }
}

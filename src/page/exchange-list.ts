/** The connection to each exchange, in words and with the age of what came last. */
import type { Health } from '#src/api/health';
import { byId, dot, element, mark, table } from './dom.js';
import { duration, exchangeName, integer } from './format.js';

type Exchange = Health['exchanges'][number];

/** Milliseconds without a frame after which an exchange counts as silent: heartbeats come every second. */
export const SILENT_MS = 15_000;

const WORDS: Readonly<Record<Exchange['state'], string>> = {
  connecting: 'connecting',
  connected: 'connected',
  waiting: 'waiting to reconnect',
  disk_full: 'closed: the disk is full',
  stopped: 'stopped',
};

export function isSilent({ state, last_frame_age_ms }: Exchange): boolean {
  return state === 'connected' && last_frame_age_ms !== null && last_frame_age_ms > SILENT_MS;
}

function stateCell(exchange: Exchange): HTMLElement {
  const silent = isSilent(exchange);
  const words = silent ? 'silent' : WORDS[exchange.state];
  const cell = element('span', '', dot(), words);
  const isGood = exchange.state === 'connected' && !silent;
  mark(cell, 'state', isGood ? 'good' : exchange.state === 'connecting' ? 'warn' : 'bad');
  return cell;
}

export function showExchanges({ exchanges }: Health): void {
  byId('exchange-list').replaceChildren(
    table(
      [
        { name: 'Exchange', cell: ({ exchange }) => exchangeName(exchange) },
        { name: 'State', cell: stateCell },
        {
          name: 'Last frame',
          isNumber: true,
          cell: ({ last_frame_age_ms: age }) => (age === null ? 'none' : `${duration(age)} ago`),
        },
        {
          name: 'Behind',
          isNumber: true,
          cell: ({ lag_ms, lag_frames }) =>
            lag_frames === 0 ? '0 ms' : `${duration(lag_ms)}, ${integer(lag_frames)} fr.`,
        },
      ],
      exchanges,
      'No exchange is enabled.',
    ),
  );
}

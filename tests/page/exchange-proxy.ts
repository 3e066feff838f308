/**
 * Stands between Bullion and a simulated exchange: passes everything on, says something of its own
 * when asked to, and goes away when the exchange is to die.
 */
import { once } from 'node:events';
import { type RawData, WebSocket, WebSocketServer } from 'ws';

export class ExchangeProxy {
  readonly #server: WebSocketServer;
  readonly #upstream: string;
  #dead: Promise<void> | undefined;

  private constructor(server: WebSocketServer, upstream: string) {
    this.#server = server;
    this.#upstream = upstream;
    server.on('connection', (client) => this.#join(client));
  }

  static async start(upstream: string): Promise<ExchangeProxy> {
    const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
    await once(server, 'listening');
    return new ExchangeProxy(server, upstream);
  }

  get url(): string {
    const address = this.#server.address();
    return `ws://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
  }

  /** Says a frame to everybody connected. */
  inject(frame: string): void {
    for (const client of this.#server.clients) client.send(frame);
  }

  /** The exchange dies, once: connections are cut and no new ones are taken. */
  die(): Promise<void> {
    this.#dead ??= new Promise((resolve) => {
      this.#server.close(() => resolve());
      for (const client of this.#server.clients) client.terminate();
    });
    return this.#dead;
  }

  #join(client: WebSocket): void {
    const exchange = new WebSocket(this.#upstream);
    const early: RawData[] = [];
    const pass = (to: WebSocket) => (data: RawData, isBinary: boolean) => {
      if (to.readyState === WebSocket.OPEN) to.send(data, { binary: isBinary });
      else if (to.readyState === WebSocket.CONNECTING) early.push(data);
    };
    client.on('message', pass(exchange));
    exchange.on('message', pass(client));
    exchange.on('open', () => {
      for (const data of early) exchange.send(data, { binary: false });
    });
    for (const [one, other] of [
      [client, exchange],
      [exchange, client],
    ] as const) {
      one.on('error', () => {});
      one.on('close', () => other.terminate());
    }
  }
}

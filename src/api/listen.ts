/** Opening the API's port; what a person can mend about it is said in one sentence. */
import type { FastifyInstance } from 'fastify';
import { EXIT, errorCode, UserError } from '#src/base/errors';

/** Starts listening; the port that was bound (port 0 takes any free one). */
export async function listen(app: FastifyInstance, host: string, port: number): Promise<number> {
  try {
    await app.listen({ host, port });
  } catch (error) {
    const code = errorCode(error);
    if (code === 'EADDRINUSE') {
      throw new UserError(
        EXIT.config,
        `port ${port} on ${host} is taken: stop what holds it or set http.port`,
        { cause: error },
      );
    }
    if (code === 'EACCES' || code === 'EADDRNOTAVAIL') {
      throw new UserError(
        EXIT.config,
        `port ${port} on ${host} cannot be opened (${code}): set http.host and http.port`,
        { cause: error },
      );
    }
    throw error;
  }
  const address = app.server.address();
  return typeof address === 'object' && address !== null ? address.port : port;
}

// Resetting a connection, without the one case in which Node would keep it for ever.
import type { Socket } from 'node:net';

/**
 * Resets a connection, or just closes it where its own end is under way already: Node can't reset it then, never closes
 * it, and its process never ends (Node 24.22: uv_tcp_close_reset refuses, and the handle counts as closing all the same).
 */
export function resetConnection(socket: Socket): void {
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}

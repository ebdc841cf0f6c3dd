// The network, as the proxy uses it: a simulated world has one of its own.

/** What the proxy uses of a `net.Socket`. */
export type Connection = {
  readonly remoteAddress?: string | undefined;
  /** Which of our addresses the other side has connected to. */
  readonly localAddress?: string | undefined;
  /** The number that the system has given it, where that is known. */
  readonly descriptor?: number | undefined;
  /** Bytes that wait to be sent. */
  readonly writableLength: number;
  readonly writableEnded: boolean;
  /** More waits to be sent than it should; `drain` comes when that has gone. */
  readonly writableNeedDrain: boolean;
  write(data: string, encoding: 'latin1' | 'utf8'): unknown;
  end(callback: () => void): unknown;
  end(data: string, callback: () => void): unknown;
  destroy(): unknown;
  pause(): unknown;
  resume(): unknown;
  setNoDelay(isSet: boolean): unknown;
};

/** One that we opened. */
export type DialledConnection = Connection & {
  /** Cuts it with a RST, which leaves no TIME_WAIT behind on this machine. */
  resetAndDestroy(): unknown;
  /** Has the kernel ask a silent peer whether it is still there, first after `initialDelayMs`. */
  setKeepAlive(isSet: boolean, initialDelayMs: number): unknown;
  on(event: 'error', listener: (error: NodeJS.ErrnoException) => void): unknown;
  on(event: 'end' | 'close', listener: () => void): unknown;
};

/** What takes the events of an accepted connection. */
export type Receiver = {
  /** Takes what comes; the bytes are its own only until it returns. */
  onRead(chunk: Buffer): void;
  /** The other side has said all it wanted. */
  onEnd(): void;
  /** What had to wait has been sent. */
  onDrain(): void;
  /** It is gone; called once, last. */
  onClose(): void;
};

export type Listening = {
  readonly port: number;
  /** Takes no more connections; those that are open stay. */
  close(): void;
};

export type Network = {
  /**
   * Opens a connection.
   * @param onConnected the connection stands, and the other side is verified
   * @param onRead      takes what comes; the bytes are its own only until it returns
   */
  connect(
    host: string,
    port: number,
    onConnected: () => void,
    onRead: (chunk: Buffer) => void,
  ): DialledConnection;
  /**
   * Listens; rejects with the system's error when the port can't be had.
   * @param isShared  others of this process may listen on the same port
   * @param accept    takes a new connection; null when it is refused
   * @param onFailure a connection could not be accepted
   */
  listen(
    host: string,
    port: number,
    isShared: boolean,
    accept: (connection: Connection) => Receiver | null,
    onFailure?: (error: NodeJS.ErrnoException) => void,
  ): Promise<Listening>;
};

/**
 * A port that many sockets share would let two proxies run on it unawares: it is asked for alone first.
 * @param port   0 for any
 * @param accept takes a connection that comes at that moment
 * @returns the port; rejects with the system's error when it can't be had
 */
export async function claimPort(
  network: Pick<Network, 'listen'>,
  host: string,
  port: number,
  accept: (connection: Connection) => Receiver | null,
  onFailure?: (error: NodeJS.ErrnoException) => void,
): Promise<number> {
  const alone = await network.listen(host, port, false, accept, onFailure);
  alone.close();
  return alone.port;
}

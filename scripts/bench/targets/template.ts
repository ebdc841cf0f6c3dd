// pure · a peer's configuration with its ports filled in.
// Must never leave a gap: a peer that starts with half a configuration would be measured with it.

/**
 * Replaces each `{{name}}`.
 * @throws Error for a name without a value, and for a value that the text has no place for
 */
export function fillTemplate(text: string, values: Readonly<Record<string, string | number>>): string {
  const unused = new Set(Object.keys(values));
  const filled = text.replaceAll(/\{\{([\w-]+)\}\}/g, (_, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`The template has {{${name}}}, and nothing says what that is.`);
    unused.delete(name);
    return String(value);
  });
  if (unused.size > 0) throw new Error(`The template has no place for ${[...unused].join(', ')}.`);
  return filled;
}

/** `server-1-2` → `127.0.0.1:PORT` for the second server of policy 1, and so on. */
export function serverValues(servers: readonly { policy: number; port: number }[]): Record<string, string> {
  const seen = new Map<number, number>();
  return Object.fromEntries(
    servers.map(({ policy, port }) => {
      const number = (seen.get(policy) ?? 0) + 1;
      seen.set(policy, number);
      return [`server-${policy}-${number}`, `127.0.0.1:${port}`];
    }),
  );
}

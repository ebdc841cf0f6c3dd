// pure · the text of a .env file. Must never change a line that it was not asked to.

/** Sets `NAME=value` in the text of a .env file: in place where the name stands, else at the end. */
export function upsertEnv(text: string, settings: Readonly<Record<string, string>>): string {
  let result = text;
  for (const [name, value] of Object.entries(settings)) {
    const line = new RegExp(`^[ \\t]*(?:export[ \\t]+)?${name}[ \\t]*=.*$`, 'm');
    const entry = `${name}=${value}`;
    if (line.test(result)) result = result.replace(line, () => entry);
    else result = `${result}${result === '' || result.endsWith('\n') ? '' : '\n'}${entry}\n`;
  }
  return result;
}

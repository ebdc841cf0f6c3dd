// pure · the npm configuration that a build inside a container gets. Must never carry a path of this machine along.

const NULL_VALUES = new Set(['', 'null', 'undefined', 'false']);
// These name files and folders of the machine, or what only matters to a person at it.
const LEFT_OUT =
  /^(?:cafile|certfile|keyfile|cache|prefix|userconfig|globalconfig|nodedir|script-shell|tmp|init-.*)\s*=/;

/**
 * Joins the machine's npm configuration into one file for the build: registries, credentials and proxies.
 * @param files texts of npm's global and user configuration files, the stronger one last
 * @param effective what npm says it uses, whatever the source (`npm config get`); wins over the files
 * @param environment fills `${NAME}` in the files, as npm does
 */
export function joinNpmrc(
  files: readonly string[],
  effective: Readonly<Record<string, string>>,
  environment: NodeJS.ProcessEnv,
): string {
  const lines = files
    .flatMap((text) => text.split('\n'))
    .map((line) => line.trim())
    .filter((line) => line !== '' && !/^[#;]/.test(line) && !LEFT_OUT.test(line))
    .map((line) => line.replaceAll(/\$\{(\w+)\}/g, (whole, name: string) => environment[name] ?? whole));
  for (const [name, value] of Object.entries(effective)) {
    if (!NULL_VALUES.has(value)) lines.push(`${name}=${value}`);
  }
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`;
}

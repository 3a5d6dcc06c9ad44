/** How much of Yjs a server keeps, as its metrics say. */
export interface YjsLevels {
  readonly sockets: number;
  readonly rooms: number;
  readonly entries: number;
}

/** Reads them from the text of the metrics. */
export function yjsLevels(metrics: string): YjsLevels {
  const level = (name: string): number => {
    const line = metrics.split("\n").find((each) => each.startsWith(`porchlight_${name} `));
    return Number(line?.split(" ")[1]);
  };
  return {
    sockets: level('sockets{door="yjs"}'),
    rooms: level("awareness_rooms"),
    entries: level("awareness_entries"),
  };
}

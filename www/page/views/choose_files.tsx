interface Props {
  onChoose: (files: FileList) => void;
}

/** A button for one file: what a browser lets choose is what can be unpacked and read. */
export function ChooseFile({ onChoose }: Props) {
  return (
    <label class="button">
      Open a file…
      <input
        type="file"
        class="hidden"
        accept=".tar,.gz,.tgz,.zst,.txt,.prom,.om,.csv,.json,.jsonl,.lp,text/plain,text/csv"
        onChange={handOver(onChoose)}
      />
    </label>
  );
}

export function ChooseFolder({ onChoose }: Props) {
  return (
    <label class="button">
      Open a folder…
      <input type="file" class="hidden" onChange={handOver(onChoose)} {...{ webkitdirectory: true }} />
    </label>
  );
}

const handOver = (onChoose: Props["onChoose"]) => (event: Event) => {
  const input = event.currentTarget as HTMLInputElement;
  if (input.files && input.files.length > 0) onChoose(input.files);
  // So that the same file can be chosen again.
  input.value = "";
};

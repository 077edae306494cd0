import style from "./segmented.module.css";

interface Choice<T> {
  value: T;
  name: string;
  spoken?: string;
}

/** A row of buttons of which one is down. */
export function Segmented<T extends string | number>(props: {
  label: string;
  choices: readonly Choice<T>[];
  chosen: T | undefined;
  isOff?: boolean;
  onChoose: (value: T) => void;
}) {
  return (
    <div class={style.segmented} role="group" aria-label={props.label}>
      {props.choices.map(({ value, name, spoken }) => (
        <button
          key={value}
          type="button"
          disabled={props.isOff}
          aria-pressed={value === props.chosen}
          aria-label={spoken}
          onClick={() => props.onChoose(value)}
        >
          {name}
        </button>
      ))}
    </div>
  );
}

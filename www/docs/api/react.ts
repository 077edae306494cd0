/**
 * A database and its queries as hooks of React.
 *
 * @module sandglass/react
 */
export {
  type DatabaseOptions,
  type DatabaseState,
  type FixedRange,
  type FollowedInstant,
  type FollowedRange,
  type Question,
  type QueryState,
  useDatabase,
  useQuery,
} from "../../dist/react.js";

// Every shape that the engine serialises, written by tests/it/typescript.rs: change it there.
import type { BlockRecord, SnapshotFile } from "../../src/port/requests.js";
import type { EngineEvent } from "../../src/api/events.js";
import type { RestoreResult } from "../../src/api/snapshots.js";
import type { IndexBlockOfEngine, IngestedByEngine, PartOfEngine, StateOfEngine } from "./check.js";

export const events = [
  {
    "partition": "text",
    "pendingRows": 1,
    "rows": 1,
    "sequence": 1,
    "shard": 1,
    "time": 1,
    "type": "rowsAdded"
  },
  {
    "partition": "text",
    "parts": [
      1
    ],
    "rows": 1,
    "sequence": 1,
    "time": 1,
    "type": "rawRowsFlushed"
  },
  {
    "blocks": 1,
    "bytes": 1,
    "class": "inmemory",
    "maxTimestamp": 1,
    "merge": null,
    "minTimestamp": 1,
    "name": "text",
    "part": 1,
    "partition": "text",
    "rows": 1,
    "sequence": 1,
    "time": 1,
    "type": "partCreated"
  },
  {
    "blocks": 1,
    "bytes": 1,
    "class": "small",
    "maxTimestamp": 1,
    "merge": 1,
    "minTimestamp": 1,
    "name": "text",
    "part": 1,
    "partition": "text",
    "rows": 1,
    "sequence": 1,
    "time": 1,
    "type": "partCreated"
  },
  {
    "blocks": 1,
    "bytes": 1,
    "class": "big",
    "maxTimestamp": 1,
    "merge": 1,
    "minTimestamp": 1,
    "name": "text",
    "part": 1,
    "partition": "text",
    "rows": 1,
    "sequence": 1,
    "time": 1,
    "type": "partCreated"
  },
  {
    "bytes": 1,
    "choice": null,
    "merge": 1,
    "outputClass": "small",
    "partition": "text",
    "reason": "flush",
    "rows": 1,
    "sequence": 1,
    "sources": [
      1
    ],
    "time": 1,
    "type": "mergeStarted"
  },
  {
    "bytes": 1,
    "choice": {
      "considered": [
        1
      ],
      "consideredBytes": [
        1
      ],
      "gain": 1,
      "maxOutputBytes": 1,
      "minGain": 1
    },
    "merge": 1,
    "outputClass": "small",
    "partition": "text",
    "reason": "background",
    "rows": 1,
    "sequence": 1,
    "sources": [
      1
    ],
    "time": 1,
    "type": "mergeStarted"
  },
  {
    "bytes": 1,
    "choice": null,
    "merge": 1,
    "outputClass": "small",
    "partition": "text",
    "reason": "assisted",
    "rows": 1,
    "sequence": 1,
    "sources": [
      1
    ],
    "time": 1,
    "type": "mergeStarted"
  },
  {
    "bytes": 1,
    "choice": null,
    "merge": 1,
    "outputClass": "small",
    "partition": "text",
    "reason": "forced",
    "rows": 1,
    "sequence": 1,
    "sources": [
      1
    ],
    "time": 1,
    "type": "mergeStarted"
  },
  {
    "bytes": 1,
    "choice": null,
    "merge": 1,
    "outputClass": "small",
    "partition": "text",
    "reason": "deduplication",
    "rows": 1,
    "sequence": 1,
    "sources": [
      1
    ],
    "time": 1,
    "type": "mergeStarted"
  },
  {
    "merge": 1,
    "partition": "text",
    "rowsDone": 1,
    "rowsTotal": 1,
    "sequence": 1,
    "time": 1,
    "type": "mergeProgressed"
  },
  {
    "merge": 1,
    "output": 1,
    "partition": "text",
    "rowsDeduplicated": 1,
    "rowsDeleted": 1,
    "rowsMerged": 1,
    "sequence": 1,
    "time": 1,
    "type": "mergeFinished"
  },
  {
    "merge": 1,
    "output": null,
    "partition": "text",
    "rowsDeduplicated": 1,
    "rowsDeleted": 1,
    "rowsMerged": 1,
    "sequence": 1,
    "time": 1,
    "type": "mergeFinished"
  },
  {
    "merge": 1,
    "message": "text",
    "partition": "text",
    "sequence": 1,
    "time": 1,
    "type": "mergeAborted"
  },
  {
    "part": 1,
    "partition": "text",
    "sequence": 1,
    "time": 1,
    "type": "partRetired"
  },
  {
    "part": 1,
    "partition": "text",
    "sequence": 1,
    "time": 1,
    "type": "partRemoved"
  },
  {
    "partition": "text",
    "sequence": 1,
    "time": 1,
    "type": "partitionCreated"
  },
  {
    "partition": "text",
    "sequence": 1,
    "time": 1,
    "type": "partitionDropped"
  },
  {
    "sequence": 1,
    "series": 1,
    "time": 1,
    "type": "seriesRegistered"
  },
  {
    "items": 1,
    "part": "text",
    "sequence": 1,
    "table": "text",
    "time": 1,
    "type": "indexFlushed"
  },
  {
    "items": 1,
    "part": "text",
    "sequence": 1,
    "sources": [
      "text"
    ],
    "table": "text",
    "time": 1,
    "type": "indexMerged"
  },
  {
    "current": "text",
    "dropped": "text",
    "previous": "text",
    "sequence": 1,
    "time": 1,
    "type": "indexRotated"
  },
  {
    "name": "text",
    "sequence": 1,
    "time": 1,
    "type": "snapshotStarted"
  },
  {
    "files": 1,
    "linkedBytes": 1,
    "name": "text",
    "parts": 1,
    "sequence": 1,
    "time": 1,
    "type": "snapshotCreated"
  },
  {
    "name": "text",
    "sequence": 1,
    "time": 1,
    "type": "snapshotDeleted"
  },
  {
    "neededBytes": 1,
    "partition": "text",
    "roomBytes": 1,
    "sequence": 1,
    "sources": [
      1
    ],
    "time": 1,
    "type": "mergePutOff"
  },
  {
    "neededBytes": 1,
    "roomBytes": 1,
    "sequence": 1,
    "sources": [
      "text"
    ],
    "table": "text",
    "time": 1,
    "type": "indexMergePutOff"
  },
  {
    "code": "quota",
    "message": "text",
    "sequence": 1,
    "time": 1,
    "type": "degraded"
  },
  {
    "message": "text",
    "reason": "tooOld",
    "samples": 1,
    "sequence": 1,
    "time": 1,
    "type": "samplesDropped"
  },
  {
    "message": "text",
    "reason": "tooNew",
    "samples": 1,
    "sequence": 1,
    "time": 1,
    "type": "samplesDropped"
  },
  {
    "message": "text",
    "reason": "notANumber",
    "samples": 1,
    "sequence": 1,
    "time": 1,
    "type": "samplesDropped"
  },
  {
    "labels": 1,
    "message": "text",
    "sequence": 1,
    "time": 1,
    "type": "labelsCut"
  },
  {
    "message": "text",
    "sequence": 1,
    "series": 1,
    "time": 1,
    "type": "labelsNotUtf8"
  },
  {
    "afterMs": 1,
    "beforeMs": 1,
    "message": "text",
    "partitions": [
      "text"
    ],
    "sequence": 1,
    "time": 1,
    "type": "retentionShortened"
  },
  {
    "code": "storage",
    "sequence": 1,
    "time": 1,
    "type": "restored"
  }
] satisfies EngineEvent[];

export const states = [
  {
    "clock": "manual",
    "config": {
      "auth": {
        "forceFlush": true,
        "forceMerge": true,
        "snapshot": true
      },
      "cacheBytes": 1,
      "clock": "manual",
      "dedupIntervalMs": 1,
      "dialect": "metricsql",
      "durableWithinMs": 1,
      "finalMergeDelayMs": 1,
      "memoryBytes": 1,
      "origin": null,
      "precisionBits": 1,
      "readOnly": true,
      "retentionMs": 1,
      "startTime": 1
    },
    "eventsDropped": 1,
    "fileSystem": {
      "commits": 1,
      "files": 1,
      "links": 1,
      "operations": 1,
      "readBytes": 1,
      "storedBytes": 1,
      "writtenBytes": 1
    },
    "index": {
      "blocks": {
        "blocks": 1,
        "budgetBytes": 1,
        "bytes": 1,
        "evictions": 1,
        "hits": 1,
        "misses": 1
      },
      "deletedSeries": 1,
      "names": {
        "bytes": 1,
        "hits": 1,
        "maxBytes": 1,
        "misses": 1,
        "names": 1
      },
      "nextRotation": 1,
      "pendingItems": 1,
      "series": 1,
      "tables": [
        {
          "name": "text",
          "parts": [],
          "pendingBytes": 1,
          "pendingItems": 1,
          "role": "current"
        },
        {
          "name": "text",
          "parts": [],
          "pendingBytes": 1,
          "pendingItems": 1,
          "role": "previous"
        }
      ]
    },
    "ingested": {
      "labelsCut": 1,
      "rejectedNan": 1,
      "rejectedTooNew": 1,
      "rejectedTooOld": 1,
      "rows": 1
    },
    "lastRead": null,
    "memory": {
      "cacheBytes": 1,
      "cacheHits": 1,
      "cacheLimitBytes": 1,
      "cacheMisses": 1,
      "inMemoryPartBytes": 1,
      "rawRowsBytes": 1
    },
    "now": 1,
    "partitions": [
      {
        "looks": [],
        "maxTimestamp": 1,
        "merged": {
          "aborted": 1,
          "flushes": {
            "bytes": 1,
            "done": 1,
            "rows": 1
          },
          "merges": {
            "bytes": 1,
            "done": 1,
            "rows": 1
          },
          "putOff": 1
        },
        "merges": [],
        "minTimestamp": 1,
        "name": "text",
        "nextDiskFlush": 1,
        "nextRawRowsFlush": 1,
        "parts": [],
        "pendingConversionRows": 1,
        "shards": [
          {
            "capacity": 1,
            "rows": 1
          }
        ]
      }
    ],
    "scheduler": {
      "lanes": [
        {
          "jobs": 1,
          "lane": "query",
          "ready": 1,
          "units": 1
        },
        {
          "jobs": 1,
          "lane": "flush",
          "ready": 1,
          "units": 1
        },
        {
          "jobs": 1,
          "lane": "smallMerge",
          "ready": 1,
          "units": 1
        },
        {
          "jobs": 1,
          "lane": "bigMerge",
          "ready": 1,
          "units": 1
        },
        {
          "jobs": 1,
          "lane": "janitor",
          "ready": 1,
          "units": 1
        }
      ],
      "nextDue": 1
    },
    "series": {
      "handles": 1,
      "rememberedDays": 1,
      "rememberedTextBytes": 1,
      "rememberedTexts": 1,
      "resolved": 1
    },
    "storage": {
      "headRoomBytes": 1,
      "isDegraded": true,
      "lastStorageError": null,
      "mergesPutOff": 1,
      "roomBytes": null,
      "waitingBytes": 1,
      "waitingLimitBytes": 1
    }
  },
  {
    "clock": "manual",
    "config": {
      "auth": {
        "forceFlush": true,
        "forceMerge": true,
        "snapshot": true
      },
      "cacheBytes": 1,
      "clock": "manual",
      "dedupIntervalMs": 1,
      "dialect": "metricsql",
      "durableWithinMs": 1,
      "finalMergeDelayMs": 1,
      "memoryBytes": 1,
      "origin": null,
      "precisionBits": 1,
      "readOnly": true,
      "retentionMs": 1,
      "startTime": 1
    },
    "eventsDropped": 1,
    "fileSystem": {
      "commits": 1,
      "files": 1,
      "links": 1,
      "operations": 1,
      "readBytes": 1,
      "storedBytes": 1,
      "writtenBytes": 1
    },
    "index": {
      "blocks": {
        "blocks": 1,
        "budgetBytes": 1,
        "bytes": 1,
        "evictions": 1,
        "hits": 1,
        "misses": 1
      },
      "deletedSeries": 1,
      "names": {
        "bytes": 1,
        "hits": 1,
        "maxBytes": 1,
        "misses": 1,
        "names": 1
      },
      "nextRotation": 1,
      "pendingItems": 1,
      "series": 1,
      "tables": [
        {
          "name": "text",
          "parts": [
            {
              "blocks": 1,
              "bytes": 1,
              "isMerging": true,
              "items": 1,
              "name": "text"
            }
          ],
          "pendingBytes": 1,
          "pendingItems": 1,
          "role": "current"
        },
        {
          "name": "text",
          "parts": [],
          "pendingBytes": 1,
          "pendingItems": 1,
          "role": "previous"
        }
      ]
    },
    "ingested": {
      "labelsCut": 1,
      "rejectedNan": 1,
      "rejectedTooNew": 1,
      "rejectedTooOld": 1,
      "rows": 1
    },
    "lastRead": null,
    "memory": {
      "cacheBytes": 1,
      "cacheHits": 1,
      "cacheLimitBytes": 1,
      "cacheMisses": 1,
      "inMemoryPartBytes": 1,
      "rawRowsBytes": 1
    },
    "now": 1,
    "partitions": [
      {
        "looks": [
          {
            "chosenParts": 1,
            "class": "small",
            "freeParts": 1,
            "gain": 1,
            "minGain": 1,
            "time": 1
          },
          {
            "chosenParts": 1,
            "class": "big",
            "freeParts": 1,
            "gain": 1,
            "minGain": 1,
            "time": 1
          }
        ],
        "maxTimestamp": 1,
        "merged": {
          "aborted": 1,
          "flushes": {
            "bytes": 1,
            "done": 1,
            "rows": 1
          },
          "merges": {
            "bytes": 1,
            "done": 1,
            "rows": 1
          },
          "putOff": 1
        },
        "merges": [],
        "minTimestamp": 1,
        "name": "text",
        "nextDiskFlush": 1,
        "nextRawRowsFlush": 1,
        "parts": [
          {
            "blocks": 1,
            "bytes": 1,
            "class": "small",
            "created": 1,
            "id": 1,
            "maxTimestamp": 1,
            "minTimestamp": 1,
            "name": "text",
            "rows": 1,
            "state": "live"
          }
        ],
        "pendingConversionRows": 1,
        "shards": [
          {
            "capacity": 1,
            "rows": 1
          }
        ]
      }
    ],
    "scheduler": {
      "lanes": [
        {
          "jobs": 1,
          "lane": "query",
          "ready": 1,
          "units": 1
        },
        {
          "jobs": 1,
          "lane": "flush",
          "ready": 1,
          "units": 1
        },
        {
          "jobs": 1,
          "lane": "smallMerge",
          "ready": 1,
          "units": 1
        },
        {
          "jobs": 1,
          "lane": "bigMerge",
          "ready": 1,
          "units": 1
        },
        {
          "jobs": 1,
          "lane": "janitor",
          "ready": 1,
          "units": 1
        }
      ],
      "nextDue": 1
    },
    "series": {
      "handles": 1,
      "rememberedDays": 1,
      "rememberedTextBytes": 1,
      "rememberedTexts": 1,
      "resolved": 1
    },
    "storage": {
      "headRoomBytes": 1,
      "isDegraded": true,
      "lastStorageError": null,
      "mergesPutOff": 1,
      "roomBytes": null,
      "waitingBytes": 1,
      "waitingLimitBytes": 1
    }
  },
  {
    "clock": "manual",
    "config": {
      "auth": {
        "forceFlush": true,
        "forceMerge": true,
        "snapshot": true
      },
      "cacheBytes": 1,
      "clock": "manual",
      "dedupIntervalMs": 1,
      "dialect": "metricsql",
      "durableWithinMs": 1,
      "finalMergeDelayMs": 1,
      "memoryBytes": 1,
      "origin": null,
      "precisionBits": 1,
      "readOnly": true,
      "retentionMs": 1,
      "startTime": 1
    },
    "eventsDropped": 1,
    "fileSystem": {
      "commits": 1,
      "files": 1,
      "links": 1,
      "operations": 1,
      "readBytes": 1,
      "storedBytes": 1,
      "writtenBytes": 1
    },
    "index": {
      "blocks": {
        "blocks": 1,
        "budgetBytes": 1,
        "bytes": 1,
        "evictions": 1,
        "hits": 1,
        "misses": 1
      },
      "deletedSeries": 1,
      "names": {
        "bytes": 1,
        "hits": 1,
        "maxBytes": 1,
        "misses": 1,
        "names": 1
      },
      "nextRotation": 1,
      "pendingItems": 1,
      "series": 1,
      "tables": [
        {
          "name": "text",
          "parts": [
            {
              "blocks": 1,
              "bytes": 1,
              "isMerging": true,
              "items": 1,
              "name": "text"
            }
          ],
          "pendingBytes": 1,
          "pendingItems": 1,
          "role": "current"
        },
        {
          "name": "text",
          "parts": [],
          "pendingBytes": 1,
          "pendingItems": 1,
          "role": "previous"
        }
      ]
    },
    "ingested": {
      "labelsCut": 1,
      "rejectedNan": 1,
      "rejectedTooNew": 1,
      "rejectedTooOld": 1,
      "rows": 1
    },
    "lastRead": null,
    "memory": {
      "cacheBytes": 1,
      "cacheHits": 1,
      "cacheLimitBytes": 1,
      "cacheMisses": 1,
      "inMemoryPartBytes": 1,
      "rawRowsBytes": 1
    },
    "now": 1,
    "partitions": [
      {
        "looks": [
          {
            "chosenParts": 1,
            "class": "small",
            "freeParts": 1,
            "gain": 1,
            "minGain": 1,
            "time": 1
          },
          {
            "chosenParts": 1,
            "class": "big",
            "freeParts": 1,
            "gain": 1,
            "minGain": 1,
            "time": 1
          }
        ],
        "maxTimestamp": 1,
        "merged": {
          "aborted": 1,
          "flushes": {
            "bytes": 1,
            "done": 1,
            "rows": 1
          },
          "merges": {
            "bytes": 1,
            "done": 1,
            "rows": 1
          },
          "putOff": 1
        },
        "merges": [],
        "minTimestamp": 1,
        "name": "text",
        "nextDiskFlush": 1,
        "nextRawRowsFlush": 1,
        "parts": [
          {
            "blocks": 1,
            "bytes": 1,
            "class": "small",
            "created": 1,
            "id": 1,
            "maxTimestamp": 1,
            "minTimestamp": 1,
            "name": "text",
            "rows": 1,
            "state": "live"
          },
          {
            "blocks": 1,
            "bytes": 1,
            "class": "inmemory",
            "created": 1,
            "id": 1,
            "maxTimestamp": 1,
            "minTimestamp": 1,
            "name": "text",
            "rows": 1,
            "state": "live"
          }
        ],
        "pendingConversionRows": 1,
        "shards": [
          {
            "capacity": 1,
            "rows": 1
          }
        ]
      }
    ],
    "scheduler": {
      "lanes": [
        {
          "jobs": 1,
          "lane": "query",
          "ready": 1,
          "units": 1
        },
        {
          "jobs": 1,
          "lane": "flush",
          "ready": 1,
          "units": 1
        },
        {
          "jobs": 1,
          "lane": "smallMerge",
          "ready": 1,
          "units": 1
        },
        {
          "jobs": 1,
          "lane": "bigMerge",
          "ready": 1,
          "units": 1
        },
        {
          "jobs": 1,
          "lane": "janitor",
          "ready": 1,
          "units": 1
        }
      ],
      "nextDue": 1
    },
    "series": {
      "handles": 1,
      "rememberedDays": 1,
      "rememberedTextBytes": 1,
      "rememberedTexts": 1,
      "resolved": 1
    },
    "storage": {
      "headRoomBytes": 1,
      "isDegraded": true,
      "lastStorageError": null,
      "mergesPutOff": 1,
      "roomBytes": null,
      "waitingBytes": 1,
      "waitingLimitBytes": 1
    }
  },
  {
    "clock": "manual",
    "config": {
      "auth": {
        "forceFlush": true,
        "forceMerge": true,
        "snapshot": true
      },
      "cacheBytes": 1,
      "clock": "manual",
      "dedupIntervalMs": 1,
      "dialect": "metricsql",
      "durableWithinMs": 1,
      "finalMergeDelayMs": 1,
      "memoryBytes": 1,
      "origin": null,
      "precisionBits": 1,
      "readOnly": true,
      "retentionMs": 1,
      "startTime": 1
    },
    "eventsDropped": 1,
    "fileSystem": {
      "commits": 1,
      "files": 1,
      "links": 1,
      "operations": 1,
      "readBytes": 1,
      "storedBytes": 1,
      "writtenBytes": 1
    },
    "index": {
      "blocks": {
        "blocks": 1,
        "budgetBytes": 1,
        "bytes": 1,
        "evictions": 1,
        "hits": 1,
        "misses": 1
      },
      "deletedSeries": 1,
      "names": {
        "bytes": 1,
        "hits": 1,
        "maxBytes": 1,
        "misses": 1,
        "names": 1
      },
      "nextRotation": 1,
      "pendingItems": 1,
      "series": 1,
      "tables": [
        {
          "name": "text",
          "parts": [
            {
              "blocks": 1,
              "bytes": 1,
              "isMerging": true,
              "items": 1,
              "name": "text"
            }
          ],
          "pendingBytes": 1,
          "pendingItems": 1,
          "role": "current"
        },
        {
          "name": "text",
          "parts": [],
          "pendingBytes": 1,
          "pendingItems": 1,
          "role": "previous"
        }
      ]
    },
    "ingested": {
      "labelsCut": 1,
      "rejectedNan": 1,
      "rejectedTooNew": 1,
      "rejectedTooOld": 1,
      "rows": 1
    },
    "lastRead": null,
    "memory": {
      "cacheBytes": 1,
      "cacheHits": 1,
      "cacheLimitBytes": 1,
      "cacheMisses": 1,
      "inMemoryPartBytes": 1,
      "rawRowsBytes": 1
    },
    "now": 1,
    "partitions": [
      {
        "looks": [
          {
            "chosenParts": 1,
            "class": "small",
            "freeParts": 1,
            "gain": 1,
            "minGain": 1,
            "time": 1
          },
          {
            "chosenParts": 1,
            "class": "big",
            "freeParts": 1,
            "gain": 1,
            "minGain": 1,
            "time": 1
          }
        ],
        "maxTimestamp": 1,
        "merged": {
          "aborted": 1,
          "flushes": {
            "bytes": 1,
            "done": 1,
            "rows": 1
          },
          "merges": {
            "bytes": 1,
            "done": 1,
            "rows": 1
          },
          "putOff": 1
        },
        "merges": [
          {
            "bytesTotal": 1,
            "id": 1,
            "outputClass": "small",
            "reason": "forced",
            "rowsDone": 1,
            "rowsTotal": 1,
            "sources": [
              1
            ]
          }
        ],
        "minTimestamp": 1,
        "name": "text",
        "nextDiskFlush": 1,
        "nextRawRowsFlush": 1,
        "parts": [
          {
            "blocks": 1,
            "bytes": 1,
            "class": "small",
            "created": 1,
            "id": 1,
            "maxTimestamp": 1,
            "minTimestamp": 1,
            "name": "text",
            "rows": 1,
            "state": "merging"
          }
        ],
        "pendingConversionRows": 1,
        "shards": [
          {
            "capacity": 1,
            "rows": 1
          }
        ]
      }
    ],
    "scheduler": {
      "lanes": [
        {
          "jobs": 1,
          "lane": "query",
          "ready": 1,
          "units": 1
        },
        {
          "jobs": 1,
          "lane": "flush",
          "ready": 1,
          "units": 1
        },
        {
          "jobs": 1,
          "lane": "smallMerge",
          "ready": 1,
          "units": 1
        },
        {
          "jobs": 1,
          "lane": "bigMerge",
          "ready": 1,
          "units": 1
        },
        {
          "jobs": 1,
          "lane": "janitor",
          "ready": 1,
          "units": 1
        }
      ],
      "nextDue": 1
    },
    "series": {
      "handles": 1,
      "rememberedDays": 1,
      "rememberedTextBytes": 1,
      "rememberedTexts": 1,
      "resolved": 1
    },
    "storage": {
      "headRoomBytes": 1,
      "isDegraded": true,
      "lastStorageError": null,
      "mergesPutOff": 1,
      "roomBytes": null,
      "waitingBytes": 1,
      "waitingLimitBytes": 1
    }
  },
  {
    "clock": "manual",
    "config": {
      "auth": {
        "forceFlush": true,
        "forceMerge": true,
        "snapshot": true
      },
      "cacheBytes": 1,
      "clock": "manual",
      "dedupIntervalMs": 1,
      "dialect": "metricsql",
      "durableWithinMs": 1,
      "finalMergeDelayMs": 1,
      "memoryBytes": 1,
      "origin": null,
      "precisionBits": 1,
      "readOnly": true,
      "retentionMs": 1,
      "startTime": 1
    },
    "eventsDropped": 1,
    "fileSystem": {
      "commits": 1,
      "files": 1,
      "links": 1,
      "operations": 1,
      "readBytes": 1,
      "storedBytes": 1,
      "writtenBytes": 1
    },
    "index": {
      "blocks": {
        "blocks": 1,
        "budgetBytes": 1,
        "bytes": 1,
        "evictions": 1,
        "hits": 1,
        "misses": 1
      },
      "deletedSeries": 1,
      "names": {
        "bytes": 1,
        "hits": 1,
        "maxBytes": 1,
        "misses": 1,
        "names": 1
      },
      "nextRotation": 1,
      "pendingItems": 1,
      "series": 1,
      "tables": [
        {
          "name": "text",
          "parts": [
            {
              "blocks": 1,
              "bytes": 1,
              "isMerging": true,
              "items": 1,
              "name": "text"
            }
          ],
          "pendingBytes": 1,
          "pendingItems": 1,
          "role": "current"
        },
        {
          "name": "text",
          "parts": [],
          "pendingBytes": 1,
          "pendingItems": 1,
          "role": "previous"
        }
      ]
    },
    "ingested": {
      "labelsCut": 1,
      "rejectedNan": 1,
      "rejectedTooNew": 1,
      "rejectedTooOld": 1,
      "rows": 1
    },
    "lastRead": null,
    "memory": {
      "cacheBytes": 1,
      "cacheHits": 1,
      "cacheLimitBytes": 1,
      "cacheMisses": 1,
      "inMemoryPartBytes": 1,
      "rawRowsBytes": 1
    },
    "now": 1,
    "partitions": [
      {
        "looks": [
          {
            "chosenParts": 1,
            "class": "small",
            "freeParts": 1,
            "gain": 1,
            "minGain": 1,
            "time": 1
          },
          {
            "chosenParts": 1,
            "class": "big",
            "freeParts": 1,
            "gain": 1,
            "minGain": 1,
            "time": 1
          }
        ],
        "maxTimestamp": 1,
        "merged": {
          "aborted": 1,
          "flushes": {
            "bytes": 1,
            "done": 1,
            "rows": 1
          },
          "merges": {
            "bytes": 1,
            "done": 1,
            "rows": 1
          },
          "putOff": 1
        },
        "merges": [],
        "minTimestamp": 1,
        "name": "text",
        "nextDiskFlush": 1,
        "nextRawRowsFlush": 1,
        "parts": [
          {
            "blocks": 1,
            "bytes": 1,
            "class": "small",
            "created": 1,
            "id": 1,
            "maxTimestamp": 1,
            "minTimestamp": 1,
            "name": "text",
            "rows": 1,
            "state": "live"
          },
          {
            "blocks": 1,
            "bytes": 1,
            "class": "inmemory",
            "created": 1,
            "id": 1,
            "maxTimestamp": 1,
            "minTimestamp": 1,
            "name": "text",
            "rows": 1,
            "state": "live"
          }
        ],
        "pendingConversionRows": 1,
        "shards": [
          {
            "capacity": 1,
            "rows": 1
          }
        ]
      }
    ],
    "scheduler": {
      "lanes": [
        {
          "jobs": 1,
          "lane": "query",
          "ready": 1,
          "units": 1
        },
        {
          "jobs": 1,
          "lane": "flush",
          "ready": 1,
          "units": 1
        },
        {
          "jobs": 1,
          "lane": "smallMerge",
          "ready": 1,
          "units": 1
        },
        {
          "jobs": 1,
          "lane": "bigMerge",
          "ready": 1,
          "units": 1
        },
        {
          "jobs": 1,
          "lane": "janitor",
          "ready": 1,
          "units": 1
        }
      ],
      "nextDue": 1
    },
    "series": {
      "handles": 1,
      "rememberedDays": 1,
      "rememberedTextBytes": 1,
      "rememberedTexts": 1,
      "resolved": 1
    },
    "storage": {
      "headRoomBytes": 1,
      "isDegraded": true,
      "lastStorageError": {
        "code": "quota",
        "message": "text"
      },
      "mergesPutOff": 1,
      "roomBytes": 1,
      "waitingBytes": 1,
      "waitingLimitBytes": 1
    }
  }
] satisfies StateOfEngine[];

export const ingested = [
  {
    "errors": [
      {
        "line": 1,
        "message": "text"
      },
      {
        "line": null,
        "message": "text"
      }
    ],
    "rejected": 1,
    "samples": 1,
    "series": 1
  }
] satisfies IngestedByEngine[];

export const files = [
  {
    "content": null,
    "path": "text",
    "sizeBytes": 1,
    "source": "text"
  },
  {
    "content": "text",
    "path": "text",
    "sizeBytes": 1,
    "source": "text"
  }
] satisfies SnapshotFile[];

export const parts = [
  {
    "blocks": 1,
    "fileBytes": [
      1
    ],
    "headers": [
      {
        "firstValue": "text",
        "labels": {
          "__name__": "text",
          "course": "text"
        },
        "maxTimestamp": 1,
        "minTimestamp": 1,
        "precisionBits": 1,
        "rows": 1,
        "scale": 1,
        "timestampsBytes": 1,
        "timestampsOffset": 1,
        "timestampsType": 1,
        "tsid": "text",
        "valuesBytes": 1,
        "valuesOffset": 1,
        "valuesType": 1
      }
    ],
    "indexBlocks": 1,
    "partition": "text"
  }
] satisfies PartOfEngine[];

export const blocks = [
  {
    "header": {
      "firstValue": "text",
      "labels": {
        "__name__": "text",
        "course": "text"
      },
      "maxTimestamp": 1,
      "minTimestamp": 1,
      "precisionBits": 1,
      "rows": 1,
      "scale": 1,
      "timestampsBytes": 1,
      "timestampsOffset": 1,
      "timestampsType": 1,
      "tsid": "text",
      "valuesBytes": 1,
      "valuesOffset": 1,
      "valuesType": 1
    },
    "timestampsCourse": {
      "kind": "counter",
      "resets": 1
    },
    "valuesCourse": {
      "kind": "counter",
      "resets": 1
    }
  },
  {
    "header": {
      "firstValue": "text",
      "labels": {
        "__name__": "text",
        "course": "text"
      },
      "maxTimestamp": 1,
      "minTimestamp": 1,
      "precisionBits": 1,
      "rows": 1,
      "scale": 1,
      "timestampsBytes": 1,
      "timestampsOffset": 1,
      "timestampsType": 1,
      "tsid": "text",
      "valuesBytes": 1,
      "valuesOffset": 1,
      "valuesType": 1
    },
    "timestampsCourse": {
      "kind": "counter",
      "resets": 1
    },
    "valuesCourse": {
      "kind": "const"
    }
  },
  {
    "header": {
      "firstValue": "text",
      "labels": {
        "__name__": "text",
        "course": "text"
      },
      "maxTimestamp": 1,
      "minTimestamp": 1,
      "precisionBits": 1,
      "rows": 1,
      "scale": 1,
      "timestampsBytes": 1,
      "timestampsOffset": 1,
      "timestampsType": 1,
      "tsid": "text",
      "valuesBytes": 1,
      "valuesOffset": 1,
      "valuesType": 1
    },
    "timestampsCourse": {
      "kind": "counter",
      "resets": 1
    },
    "valuesCourse": {
      "at": 1,
      "kind": "negative"
    }
  },
  {
    "header": {
      "firstValue": "text",
      "labels": {
        "__name__": "text",
        "course": "text"
      },
      "maxTimestamp": 1,
      "minTimestamp": 1,
      "precisionBits": 1,
      "rows": 1,
      "scale": 1,
      "timestampsBytes": 1,
      "timestampsOffset": 1,
      "timestampsType": 1,
      "tsid": "text",
      "valuesBytes": 1,
      "valuesOffset": 1,
      "valuesType": 1
    },
    "timestampsCourse": {
      "kind": "counter",
      "resets": 1
    },
    "valuesCourse": {
      "kind": "resets",
      "resets": 1
    }
  },
  {
    "header": {
      "firstValue": "text",
      "labels": {
        "__name__": "text",
        "course": "text"
      },
      "maxTimestamp": 1,
      "minTimestamp": 1,
      "precisionBits": 1,
      "rows": 1,
      "scale": 1,
      "timestampsBytes": 1,
      "timestampsOffset": 1,
      "timestampsType": 1,
      "tsid": "text",
      "valuesBytes": 1,
      "valuesOffset": 1,
      "valuesType": 1
    },
    "timestampsCourse": {
      "kind": "counter",
      "resets": 1
    },
    "valuesCourse": {
      "kind": "deltaConst"
    }
  },
  {
    "header": {
      "firstValue": "text",
      "labels": {
        "__name__": "text",
        "course": "text"
      },
      "maxTimestamp": 1,
      "minTimestamp": 1,
      "precisionBits": 1,
      "rows": 1,
      "scale": 1,
      "timestampsBytes": 1,
      "timestampsOffset": 1,
      "timestampsType": 1,
      "tsid": "text",
      "valuesBytes": 1,
      "valuesOffset": 1,
      "valuesType": 1
    },
    "timestampsCourse": {
      "kind": "counter",
      "resets": 1
    },
    "valuesCourse": {
      "at": 1,
      "kind": "falls"
    }
  }
] satisfies BlockRecord[];

export const indexBlocks = [
  {
    "commonPrefixBytes": 1,
    "dir": "text",
    "isZstd": true,
    "items": [
      "text"
    ],
    "itemsAt": [
      1
    ],
    "lensAt": [
      1
    ]
  }
] satisfies IndexBlockOfEngine[];

export const restored = [
  {
    "format": "text",
    "leftOut": [
      {
        "message": "text",
        "path": "text"
      }
    ],
    "parts": 1,
    "samples": 1,
    "series": 1
  }
] satisfies RestoreResult[];

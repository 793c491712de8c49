// Picks what to do by the first argument; see the README beside the pom.
package records;

import java.nio.file.Path;

public final class Main {
    public static void main(String[] arguments) throws Exception {
        Path path = Path.of(arguments[1]);
        switch (arguments[0]) {
            case "write" -> {
                Batches.write(path);
                States.write(path);
            }
            case "describe" -> Batches.describe(path);
            case "judge" -> Judge.judge(path);
            case "snapshot" -> States.describeSnapshot(path);
            case "producers" -> Producers.run(path);
            case "epochs" -> States.describeEpochs(path);
            default -> throw new IllegalArgumentException(arguments[0]);
        }
    }
}

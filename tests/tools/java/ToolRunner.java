// Runs Kafka's tools one after the other in one JVM, for those who record what they print.
import java.io.ByteArrayInputStream;
import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.apache.kafka.common.utils.Exit;

/** Runs one of Kafka's tools after the other in one JVM: a request per line, an answer per line. */
public class ToolRunner {
    private static final java.util.Queue<Runnable> hooks = new java.util.concurrent.ConcurrentLinkedQueue<>();
    private static volatile int code;
    private static volatile CountDownLatch ended;

    /** The tool that exits is parked for good; its answer is complete. */
    private static void exit(int status) {
        code = status;
        ended.countDown();
        while (true) LockSupport.park();
    }

    public static void main(String[] unused) throws Exception {
        System.setSecurityManager(new SecurityManager() {
            @Override public void checkPermission(java.security.Permission permission) { }
            @Override public void checkPermission(java.security.Permission permission, Object context) { }
            @Override public void checkExit(int status) { if (status != 250) ToolRunner.exit(status); }
        });
        Exit.setExitProcedure((status, message) -> exit(status));
        Exit.setHaltProcedure((status, message) -> exit(status));
        Exit.setShutdownHookAdder((name, hook) -> hooks.add(hook));
        PrintStream answers = System.out;
        BufferedReader requests = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = requests.readLine(); line != null; line = requests.readLine()) {
            String[] parts = line.split("\u001f", -1);
            String[] arguments = Arrays.copyOfRange(parts, 2, parts.length);
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            ByteArrayOutputStream err = new ByteArrayOutputStream();
            System.setOut(new PrintStream(out, true, "UTF-8"));
            System.setErr(new PrintStream(err, true, "UTF-8"));
            System.setIn(new ByteArrayInputStream(parts[1].replace("\u001e", "\n").getBytes(StandardCharsets.UTF_8)));
            code = 0;
            ended = new CountDownLatch(1);
            Thread tool = new Thread(() -> {
                try {
                    Class.forName(parts[0]).getMethod("main", String[].class).invoke(null, (Object) arguments);
                } catch (java.lang.reflect.InvocationTargetException error) {
                    code = 1;
                    System.err.print("Exception in thread \"main\" ");
                    error.getCause().printStackTrace();
                } catch (ReflectiveOperationException error) {
                    code = 99;
                    error.printStackTrace();
                }
                ended.countDown();
            });
            tool.setDaemon(true);
            tool.start();
            if (!ended.await(60, TimeUnit.SECONDS)) code = 98;
            // What a tool does when its JVM ends: flush a producer, print a summary.
            for (Runnable hook = hooks.poll(); hook != null; hook = hooks.poll()) {
                Thread last = new Thread(hook);
                last.setDaemon(true);
                last.start();
                last.join(10000);
            }
            answers.println("\u0001" + code + "\u0002" + text(out) + "\u0002" + text(err));
            answers.flush();
        }
        Runtime.getRuntime().halt(250);
    }

    private static String text(ByteArrayOutputStream bytes) {
        return bytes.toString(StandardCharsets.UTF_8).replace("\n", "\u001e");
    }
}
